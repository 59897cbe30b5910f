/** What this browser says about itself, in two words. */

const BROWSERS = [
  ["Edge", /\bEdg(?:e|A|iOS)?\//],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(?:Firefox|FxiOS)\//],
  ["Chrome", /\b(?:Chrome|CriOS|HeadlessChrome|Chromium)\//],
  ["Safari", /\bVersion\/.*\bSafari\//],
];

/** "phone · Safari", "desktop · Firefox". */
export function describeDevice({ userAgent, maxTouchPoints = 0 }) {
  const browser = BROWSERS.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "browser";
  return `${kindOf(userAgent, maxTouchPoints)} · ${browser}`;
}

/** The icon for a device text, whoever wrote it. */
export function deviceKind(device) {
  if (/phone|mobile/i.test(device)) return "phone";
  return /tablet|pad/i.test(device) ? "tablet" : "desktop";
}

function kindOf(userAgent, maxTouchPoints) {
  if (/\b(?:iPad|Tablet)\b/i.test(userAgent)) return "tablet";
  if (/\b(?:Mobi|Mobile|iPhone|iPod)\b/i.test(userAgent)) return "phone";
  if (/\bAndroid\b/.test(userAgent)) return "tablet";
  // An iPad asks for desktop pages under a Mac's name, but no Mac has a touch screen.
  return /\bMacintosh\b/.test(userAgent) && maxTouchPoints > 1 ? "tablet" : "desktop";
}
