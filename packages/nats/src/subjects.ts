/** The subjects of one cluster. Names are encoded: they may hold what means something in a subject. */

export interface Subjects {
  /** Greetings, and what is published for everybody. */
  readonly everybody: string;
  /** What is for one node. */
  readonly node: (replica: string) => string;
  /** Where the server says that nobody listens on a node's subject; ours alone, by a name of our own. */
  readonly echo: (own: string, replica: string) => string;
  /** All of our own echoes. */
  readonly echoes: (own: string) => string;
  /** The node that an echo is about. */
  readonly nodeOfEcho: (subject: string) => string;
}

export function subjectsOf(prefix: string, cluster: string): Subjects {
  const start = `${prefix}.${token(cluster)}`;
  return {
    everybody: `${start}.all`,
    node: (replica) => `${start}.node.${token(replica)}`,
    echo: (own, replica) => `${start}.echo.${own}.${token(replica)}`,
    echoes: (own) => `${start}.echo.${own}.*`,
    nodeOfEcho: (subject) => Buffer.from(subject.slice(subject.lastIndexOf(".") + 1), "base64url").toString(),
  };
}

function token(name: string): string {
  return Buffer.from(name).toString("base64url");
}
