import { TelemetryError } from "../../../domain/errors.ts";
import type { ReadingFault } from "../../../domain/reading.ts";

/** A scrape has failed. The message is a sentence for people without the target's name: "nothing listens there (connection refused)". */
export class ScrapeFailed extends TelemetryError {
  readonly code = "scrape_failed";
  readonly retryable = true;

  constructor(
    readonly reason: ReadingFault,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

type Explanation = readonly [reason: ReadingFault, message: string];

const explanations: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: ["refused", "nothing listens there (connection refused)"],
  ENOTFOUND: ["dns", "the name service does not know the host"],
  EAI_AGAIN: ["dns", "the name service does not answer"],
  ECONNRESET: ["closed_early", "it closed the connection before the end of its answer"],
  EPIPE: ["closed_early", "it closed the connection before the end of its answer"],
  EHOSTUNREACH: ["unreachable", "there is no route to the host"],
  ENETUNREACH: ["unreachable", "there is no route to its network"],
  ETIMEDOUT: ["timeout", "it does not answer (the connection timed out)"],
  EPROTO: ["tls", "the TLS handshake failed"],
};

/** Codes of Node's and OpenSSL's errors of certificates and handshakes. */
const tlsCode =
  /^(?:ERR_(?:TLS|SSL|OSSL)|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_|HOSTNAME_MISMATCH|UNSUPPORTED_CERT)/;

/** Explains an error of the network. */
export function explainNetworkError(error: unknown): ScrapeFailed {
  if (error instanceof ScrapeFailed) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  const known = explanations[code];
  if (known !== undefined) return new ScrapeFailed(...known, { cause: error });
  if (message.includes("WRONG_VERSION_NUMBER")) {
    return new ScrapeFailed("tls", "it does not speak TLS; is it served over http?", { cause: error });
  }
  if (tlsCode.test(code))
    return new ScrapeFailed("tls", `its certificate is not accepted: ${message}`, { cause: error });
  if (code.startsWith("HPE_"))
    return new ScrapeFailed("not_exposition", "it does not answer in HTTP", { cause: error });
  return new ScrapeFailed("unreachable", message, { cause: error });
}

/** A timer that fires this late shows that the process was held up, and the exporter may have answered meanwhile. */
const lateTimerMs = 1000;

/** Explains a scrape that was ended by its time limit.
 *  @param elapsedMs how long it took */
export function explainTimeout(elapsedMs: number, timeoutMs: number): ScrapeFailed {
  if (elapsedMs - timeoutMs <= lateTimerMs) {
    return new ScrapeFailed("timeout", `no complete answer within ${seconds(timeoutMs)} (DCGM_TIMEOUT)`);
  }
  const message = `the streamer was held up during the scrape, which ended after ${seconds(elapsedMs)} instead of ${seconds(timeoutMs)}`;
  return new ScrapeFailed("no_streamer", message);
}

/** A duration for people. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

/** Explains an answer with a status other than 200.
 *  @param url the requested URL
 *  @param location the header of a redirect */
export function explainStatus(status: number, url: string, location?: string): ScrapeFailed {
  return new ScrapeFailed("http_status", `HTTP ${status}${hintOf(status, url, location)}`);
}

function hintOf(status: number, url: string, location: string | undefined): string {
  if (status === 401) return ": it asks for a user and a password, or for a token (DCGM_USERNAME, DCGM_BEARER_TOKEN)";
  if (status === 403) return ": it refuses this user or token";
  if (status === 404) return ": it serves its metrics at another path";
  return status >= 300 && status < 400 ? `: redirects are not followed; ${redirectAdvice(url, location)}` : "";
}

/** A longer address is hardly one that an operator would enter. */
const addressMaxLength = 256;

/** The query of a redirect may contain a secret, so the advice is without it. */
function redirectAdvice(url: string, location: string | undefined): string {
  const to = location === undefined || location === "" ? null : URL.parse(location, url);
  if (to === null) return "enter its final address as the target";
  if (to.protocol !== "http:" && to.protocol !== "https:") return "this one leads to no http or https address";
  if (to.username !== "" || to.password !== "") return "this one leads to an address with a user or a password";
  const [asked, final] = [withoutQuery(new URL(url)), withoutQuery(to)];
  if (final === asked) return "this one leads back to the same address";
  return `enter ${final.length > addressMaxLength ? "its final address" : final} as the target`;
}

function withoutQuery({ origin, pathname }: URL): string {
  return origin + pathname;
}
