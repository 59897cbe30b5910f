/** As `package.json` has it, which is not beside the code of a bundled application: a test compares the two. */
export const VERSION = "0.1.0";
