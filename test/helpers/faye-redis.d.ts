/** The engine for Redis, which has no types of its own. It is only handed on to Faye. */
declare module "faye-redis" {
  const engine: object;
  export default engine;
}
