import { AwaitsSeries, NoCollector, PushRefused, UnusablePush } from "../../../pipeline/source/push.ts";
import { ApiError, shown } from "../../http/api-error.ts";

/** In what the routes differ that take bodies. */
interface BodyKind {
  readonly name: string;
  /** Of the answer to a body for which there is no room. */
  readonly noRoom: 429 | 503;
  /** Says of the greatest size what it counts, and what to do. */
  readonly smaller: string;
}

/** A push of records. */
export const pushed: BodyKind = {
  ...{ name: "push", noRoom: 429, smaller: " (PUSH_MAX_MIB): send several smaller pushes" },
};

/** A request of remote write or OTLP. Senders repeat it after 503; after 429, Prometheus does so only if it is configured to, and drops it
 *  otherwise. */
export const written: BodyKind = {
  ...{ name: "request", noRoom: 503, smaller: ", unpacked: send fewer samples at a time" },
};

/** A file that is uploaded. */
export const uploaded: BodyKind = {
  ...{ name: "file", noRoom: 429, smaller: " (UPLOAD_MAX_MIB): send the table packed, or in several files" },
};

/** A kind of body, and the most bytes that one may have. */
interface BodyLimit {
  readonly kind: BodyKind;
  readonly maxBytes: number;
}

/** The error of a body that could not be taken, or only its beginning.
 *  @param details what was taken of it */
export function bodyErrorOf(error: unknown, limit: BodyLimit, details: Readonly<Record<string, unknown>> = {}): Error {
  if (error instanceof PushRefused) {
    const { message, retryAfterSeconds } = error;
    const again = `send the ${limit.kind.name} again in ${retryAfterSeconds} s: what has arrived already is not stored twice`;
    return new ApiError(limit.kind.noRoom, "no_room", {
      message: `${message}; ${again}`,
      details: { retry_after_seconds: retryAfterSeconds },
    });
  }
  if (error instanceof NoCollector) return new ApiError(503, error.code, { message: error.message, details: {} });
  if (error instanceof AwaitsSeries) {
    return new ApiError(503, "awaits_series", {
      message: `${error.message}; send the ${limit.kind.name} again`,
      details: {},
    });
  }
  if (!(error instanceof UnusablePush)) return error as Error;
  return error.problem === "too_large" ? tooLarge(error.message, limit, details) : badBody(error.message, details);
}

/** @param what the beginning of a sentence */
export function tooLarge(
  what: string,
  { kind, maxBytes }: BodyLimit,
  details: Readonly<Record<string, unknown>> = {},
): ApiError {
  return new ApiError(413, "too_large", {
    message: `${what}; at most ${maxBytes} bytes are accepted${kind.smaller}`,
    details: { max_bytes: maxBytes, ...details },
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
