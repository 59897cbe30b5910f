/** The newest clients of Supabase ask for Node.js 22, and work with 20, which our tests run on as well. */
function readPackage(manifest) {
  if (manifest.name === "@supabase/realtime-js") delete manifest.engines;
  return manifest;
}

module.exports = { hooks: { readPackage } };
