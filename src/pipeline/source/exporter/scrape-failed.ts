import type { ReadingFault } from "../../../domain/reading.ts";

/** A scrape has failed. The message is a sentence for people without the target's name: "nothing listens there (connection refused)". */
export class ScrapeFailed extends Error {
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

/** Explains an answer with a status other than 200.
 *  @param location the header of a redirect */
export function explainStatus(status: number, location?: string): ScrapeFailed {
  return new ScrapeFailed("http_status", `HTTP ${status}${hintOf(status, location)}`);
}

function hintOf(status: number, location: string | undefined): string {
  if (status === 401) return ": it asks for a user and a password, or for a token (DCGM_USERNAME, DCGM_BEARER_TOKEN)";
  if (status === 403) return ": it refuses this user or token";
  if (status === 404) return ": it serves its metrics at another path";
  if (status >= 300 && status < 400) return `: redirects are not followed; enter ${placeOf(location)} as the target`;
  return "";
}

/** The query of a redirect may contain a secret. */
function placeOf(location: string | undefined): string {
  return location === undefined || location === "" ? "its final address" : location.replace(/[?#].*$/, "");
}
