/** An earlier version of the npm client, whose types are those of the present one. */
declare module "phoenix-1.7" {
  export * from "phoenix";
}
