/** A caller broke a rule of the set: a bug in the program, not in its input. */
export class CrdtError extends Error {
  readonly code: "NOT_LIVE" | "OWN_REPLICA" | "OPEN_INTERVAL";

  constructor(code: CrdtError["code"], message: string) {
    super(message);
    this.name = "CrdtError";
    this.code = code;
  }
}
