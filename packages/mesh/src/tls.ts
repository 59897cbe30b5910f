/**
 * TLS between nodes: the certificate that we show, whom we believe, and what is wrong with what others show.
 *
 * TLS keeps what is said from those who listen or meddle; who may join is for the secret to prove, on top of it.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import {
  ConfigurationError,
  checkFunction,
  checkObject,
  checkString,
  InvalidArgumentError,
} from "@presently/replica";
import { type Refusal, refusal } from "./refusal.ts";

/** Certificates and keys are PEM texts. Given, the mesh listens with TLS and its address begins with `wss://`. */
export interface TlsOptions {
  /** The certificate that we show to all who dial us and all whom we dial, and those between it and its authority. */
  readonly cert: string;
  /** The private key of the first certificate in `cert`; not encrypted. */
  readonly key: string;
  /** The authorities whose certificates we believe, as server and as client. Default: those that Node.js comes with. */
  readonly ca?: string;
  /** Whether everyone who dials us must show a certificate of `ca` (mutual TLS). Default false. */
  readonly requestClientCertificate?: boolean;
  /**
   * The name that the certificate of every peer must carry, for clusters where one certificate serves all nodes.
   * Default: the host in the address that is dialled, or the name that was looked up in the DNS for it.
   */
  readonly serverName?: string;
}

/**
 * Refuses TLS options that cannot be used.
 *
 * @param advertise where peers are told to dial, if that is given
 * @param naming how errors call the option at a path such as `tls.cert` or `advertise`
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is not PEM; its content stays out of the message
 * @throws {ConfigurationError} `INVALID_CONFIGURATION` for two options that contradict each other
 */
export function checkTls(
  tls: TlsOptions,
  advertise: string | undefined,
  naming: (path: string) => string = (path) => `option ${path}`,
): void {
  checkFunction("naming", naming);
  checkObject("tls", tls);
  if (advertise !== undefined) checkString(naming("advertise"), advertise);
  const [leaf] = certificatesIn(tls.cert, naming("tls.cert"));
  if (tls.ca !== undefined) certificatesIn(tls.ca, naming("tls.ca"));
  if (!leaf!.checkPrivateKey(privateKeyIn(tls.key, naming("tls.key")))) {
    throw new ConfigurationError(
      `${naming("tls.key")} is not the key of the first certificate in ${naming("tls.cert")}`,
    );
  }
  if (tls.requestClientCertificate === true && tls.ca === undefined) {
    throw new ConfigurationError(
      `${naming("tls.requestClientCertificate")} needs ${naming("tls.ca")}: certificates of a public authority anybody can get`,
    );
  }
  if (advertise?.startsWith("ws:")) {
    throw new ConfigurationError(
      `${naming("advertise")} is ${advertise}, and with ${naming("tls.cert")} this node speaks TLS only: write wss://`,
    );
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificatesIn(pem: string, what: string): X509Certificate[] {
  const blocks = typeof pem === "string" ? (pem.match(PEM_CERTIFICATE) ?? []) : [];
  if (blocks.length === 0) throw new InvalidArgumentError(what, "must hold a certificate in PEM");
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    // What OpenSSL says of it is about bytes, not about what to do.
    throw new InvalidArgumentError(what, "has a certificate that cannot be read");
  }
}

function privateKeyIn(pem: string, what: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause stays out as well: nothing of a key, not even its first bytes, belongs into a log.
    throw new InvalidArgumentError(what, "must be a private key in PEM that is not encrypted");
  }
}

/**
 * What dialling `address` with TLS takes: nothing for `ws:`.
 *
 * @param name the name that was looked up in the DNS for this address
 */
export function dialOptions(
  address: string,
  tls: TlsOptions | undefined,
  name: string | undefined,
): ConnectionOptions {
  if (!address.startsWith("wss:")) return {};
  const expected = tls?.serverName ?? name;
  return {
    ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    // An IP address cannot be asked for by name; it is compared with the certificate all the same.
    ...(expected === undefined || isIP(expected) !== 0 ? {} : { servername: expected }),
  };
}

/** Why the certificate of the server that we dialled is refused, if that is what the error says. */
export function certificateRefusal(error: Error & { code?: unknown }): Refusal | undefined {
  const code = String(error.code);
  if (!CERTIFICATE_ERRORS.test(code)) return undefined;
  return refusal("TLS", `the certificate of the server is not accepted: ${error.message} (${code})`);
}

/** What a dial that failed like this may mean: TLS has no word for "I do not accept your certificate" at that point. */
export function hangUpHint(address: string, error: (Error & { code?: unknown }) | undefined): string {
  const hungUp = address.startsWith("wss:") && error?.code === "ECONNRESET";
  return hungUp ? "; a server that does not accept our certificate hangs up so, and its log says why" : "";
}

/** Codes of the verification of X.509 certificates: those of OpenSSL as Node.js names them, and Node's own. */
const CERTIFICATE_ERRORS =
  /^(UNABLE_TO_(GET|DECRYPT|DECODE|VERIFY)_|CERT_|CRL_|ERROR_IN_C|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME)/;

/** Why a client is refused whose certificate, if it showed one, is not of our authority. */
export function untrustedClient(stream: TLSSocket): Refusal {
  // For a client without a certificate Node.js gives an empty object, and an error about its issuer.
  const shown = Object.keys(stream.getPeerCertificate()).length > 0;
  const problem = `is not accepted: ${String(stream.authorizationError)}`;
  return refusal(
    "TLS",
    shown ? `the certificate of the client ${problem}` : "the client shows no certificate",
  );
}

/** Why a TLS handshake failed, as the server says it; undefined if the connection merely broke. */
export function serverRefusal(error: Error & { code?: string; reason?: string }): Refusal | undefined {
  if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") return refusal("TIMEOUT", "no TLS handshake came in time");
  if (error.code === "ERR_SSL_HTTP_REQUEST") {
    return refusal("TLS", "the client does not speak TLS: dial wss:// instead of ws://");
  }
  if (!error.code?.startsWith("ERR_SSL_")) return undefined;
  return refusal("TLS", `the TLS handshake failed: ${error.reason ?? error.message}`);
}
