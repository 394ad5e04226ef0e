import { PushRefused, UnusablePush } from "../../../pipeline/source/push.ts";
import { ApiError, shown } from "../../http/api-error.ts";

/** The error of a request that could not be taken. Senders repeat it after 503; after 429, Prometheus does so only if it is configured to,
 *  and drops it otherwise. */
export function writeErrorOf(error: unknown, maxBytes: number): Error {
  if (error instanceof PushRefused) {
    const { message, retryAfterSeconds } = error;
    return new ApiError(503, "no_room", {
      message: `${message}; send the request again in ${retryAfterSeconds} s: what has arrived already is not stored twice`,
      details: { retry_after_seconds: retryAfterSeconds },
    });
  }
  if (!(error instanceof UnusablePush)) return error as Error;
  if (error.problem !== "too_large") return badBody(error.message);
  return new ApiError(413, "too_large", {
    message: `${error.message}; at most ${maxBytes} bytes are accepted, unpacked: send fewer samples at a time`,
    details: { max_bytes: maxBytes },
  });
}

/** The error of a body that is not what its type says, or of which a part was rejected. */
export const badBody = (message: string, details: Readonly<Record<string, unknown>> = {}): ApiError =>
  new ApiError(400, "invalid_body", { message, details });

/** The error of a type or coding that is not read.
 *  @param value that of the header; empty if the request lacks it */
export function unsupportedHeader(
  header: "content-type" | "content-encoding",
  value: string,
  supported: readonly string[],
): ApiError {
  const found = value === "" ? `no ${header}` : `the ${header} ${JSON.stringify(shown(value))}`;
  return new ApiError(415, "unsupported_media_type", {
    message: `The body has ${found}; supported: ${supported.join(", ")}`,
    details: { [header.replace("-", "_")]: shown(value), supported },
  });
}
