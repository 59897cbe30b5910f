/**
 * What `presently start` takes besides the options of `createNode`: once, as `option-table.ts` has those. The flags, the
 * fields of the configuration file, their checks, its schema and the documentation are all made of this list.
 */
import type { OptionSpec } from "../option-table.ts";

/** An option of the command, which every flag is. */
export interface CommandOptionSpec extends OptionSpec {
  readonly flag: string;
  /** What stands behind the flag in `--help`; none for a switch. */
  readonly argument?: string;
}

const text = (path: string, flag: string, argument: string, help: string, defaultText = "none") =>
  ({ path, flag, kind: "text", argument, defaultText, help }) as const;

const texts = (path: string, flag: string, argument: string, help: string, defaultText = "none") =>
  ({ path, flag, kind: "texts", argument, defaultText, help }) as const;

/** Of the node itself. Paths that end in `File` are those of files. */
export const hostTable: readonly CommandOptionSpec[] = [
  text(
    "secretFile",
    "--secret-file",
    "path",
    "File with the secret that all nodes share, instead of the environment's PRESENTLY_SECRET. One a line: the first proves this node, any of them proves a peer.",
  ),
];

/** Of who may do what: see `docs/security.md`. */
export const accessTable: readonly CommandOptionSpec[] = [
  text(
    "access.tokensFile",
    "--access-tokens-file",
    "path",
    "YAML or JSON list of the API tokens that are let in, by their hashes; read again when it changes. `presently token create` makes its entries.",
  ),
  text(
    "access.jwtSecretFile",
    "--access-jwt-secret-file",
    "path",
    "File with the secret (HS256, 32 bytes or more), or the public key in PEM (RS256, ES256, EdDSA), of JSON web tokens that are let in. Several, one a line: any of them.",
  ),
  text(
    "access.jwtIssuer",
    "--access-jwt-issuer",
    "name",
    "Issuer (iss) that JSON web tokens must name.",
    "any",
  ),
  text(
    "access.jwtAudience",
    "--access-jwt-audience",
    "name",
    "Audience (aud) that JSON web tokens must name.",
    "any",
  ),
  text("access.jwtId", "--access-jwt-id", "claim", "Claim that says who it is.", "sub"),
  texts(
    "access.jwtScopes",
    "--access-jwt-scope",
    "scope",
    "What JSON web tokens may be used for that say nothing of it themselves, watch:* for example; may be given several times.",
  ),
  texts(
    "access.anonymousScopes",
    "--access-anonymous",
    "scope",
    "What those may do who show no token; may be given several times.",
    "they are not let in",
  ),
];

/** Of the transport in the place of the mesh. */
export const natsTable: readonly CommandOptionSpec[] = [
  texts(
    "nats.servers",
    "--nats",
    "url",
    "Link the nodes over this NATS server instead of a mesh, nats://127.0.0.1:4222 for example; repeat it for more servers of one NATS cluster; needs the package @presently/nats.",
  ),
  text("nats.credentialsFile", "--nats-credentials-file", "path", "Credentials file of NATS for this node."),
];

/** Of what is served besides the API. */
export const extensionTable: readonly CommandOptionSpec[] = [
  texts(
    "origins",
    "--origin",
    "origin",
    "Origin of web pages that may connect to what --phoenix, --supabase, --faye, --anycable and --pusher-app serve: https://host, //host or //*.host, or * for all; may be given several times.",
    "pages of the same host",
  ),
  text(
    "phoenix.path",
    "--phoenix",
    "path",
    "Serve clients of phoenix.js at this path of the HTTP address, /socket for example; needs the package @presently/phoenix.",
  ),
  text(
    "phoenix.key",
    "--phoenix-key",
    "name",
    "Connect parameter, or claim of the token, that names whoever connects.",
    "user_id",
  ),
  text(
    "phoenix.tokenSecretFile",
    "--phoenix-token-secret-file",
    "path",
    "File with the secret (HS256, 32 bytes or more) or the public key in PEM (RS256, ES256, EdDSA) that clients' tokens are signed with; without it, clients say themselves who they are.",
  ),
  text(
    "supabase.path",
    "--supabase",
    "path",
    "Serve clients of Supabase Realtime at this path of the HTTP address, /realtime/v1 for example: broadcast and presence; needs the package @presently/phoenix.",
  ),
  text(
    "supabase.jwtSecretFile",
    "--supabase-jwt-secret-file",
    "path",
    "File with the secret (HS256, 32 bytes or more) or the public key in PEM that API keys and access tokens are signed with; without it, any API key will do.",
  ),
  text(
    "faye.path",
    "--faye",
    "path",
    "Serve clients of Faye at this path of the HTTP address, /bayeux for example, with presence on channels that begin with /presence/; needs the packages @presently/faye and faye.",
  ),
  text(
    "anycable.path",
    "--anycable",
    "path",
    "Serve clients of AnyCable at this path of the HTTP address, /cable for example, with presence on their streams; needs the package @presently/anycable.",
  ),
  {
    path: "anycable.public",
    flag: "--anycable-public",
    kind: "switch",
    default: false,
    help: "Accept clients without a token, and names of streams without a signature; and, without a secret, requests to the REST API without one. (default: no)",
  },
  {
    path: "anycable.noauth",
    flag: "--anycable-noauth",
    kind: "switch",
    default: false,
    help: "Accept clients without a token; one that is shown must be good. (default: no)",
  },
  text(
    "anycable.secretFile",
    "--anycable-secret-file",
    "path",
    "File with the application's secret, 32 bytes or more where other machines reach the HTTP address: clients need a token that is signed with it, as have the names of streams (also Turbo's), and that of the REST API follows from it.",
  ),
  texts(
    "pusher.apps",
    "--pusher-app",
    "key:secret-file",
    "Serve this app to clients of Pusher at the HTTP address, by its key and the file of its secret, or id:key:secret-file; may be given several times; needs the package @presently/pusher.",
  ),
  text(
    "webhook.url",
    "--webhook",
    "url",
    "Post who comes and goes to this URL; start all nodes with it alike, and one of them posts each event.",
  ),
  text(
    "webhook.secretFile",
    "--webhook-secret-file",
    "path",
    "File with the secret that signs what is posted.",
  ),
  texts(
    "webhook.topics",
    "--webhook-topic",
    "name",
    "Topic that is reported, or the beginning of some with a * behind it; may be given several times.",
    "*",
  ),
];

/** All of them, in the order of `--help`. */
export const commandTable: readonly CommandOptionSpec[] = [
  ...hostTable,
  ...accessTable,
  ...natsTable,
  ...extensionTable,
];
