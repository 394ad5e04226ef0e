import Negotiator from "negotiator";
import { ApiError, shown } from "../api-error.ts";

/** The formats of lists: one JSON document, or rows as CSV or NDJSON. */
export type Format = "json" | "csv" | "ndjson";

const mediaTypes: Readonly<Record<Format, string>> = {
  json: "application/json",
  csv: "text/csv",
  ndjson: "application/x-ndjson",
};

/** The format that the Accept header prefers; JSON without the header.
 *  @throws ApiError 406 if the header allows none of the formats */
export function formatOf(request: Request): Format {
  const accept = request.headers.get("accept");
  if (accept === null || accept === "*/*") return "json";
  const best = new Negotiator({ headers: { accept } }).mediaType(Object.values(mediaTypes));
  for (const [format, mediaType] of Object.entries(mediaTypes)) if (mediaType === best) return format as Format;
  const available = Object.values(mediaTypes);
  throw new ApiError(406, "not_acceptable", {
    message: `accept=${JSON.stringify(shown(accept))} matches no supported media type: ${available.join(", ")}`,
    details: { accept: shown(accept), available },
  });
}

/** Content codings, in order of preference. */
const encodings = ["zstd", "gzip"] as const;
export type Encoding = (typeof encodings)[number];

/** Negotiator with an option that its types lack: `preferred` is the order of the codings that a client accepts equally. */
interface PreferringNegotiator {
  encoding(available: string[], options?: { readonly preferred: string[] }): string | undefined;
}

/** The coding that a client prefers; undefined if the client accepts none of `encodings`, sends no Accept-Encoding, or
 *  prefers an uncompressed answer. */
export function encodingOf(request: Request): Encoding | undefined {
  const given = request.headers.get("accept-encoding");
  if (given === null) return undefined;
  let known = knownEncodings.get(given);
  if (known === undefined) {
    if (knownEncodings.size === knownMax) knownEncodings.clear();
    knownEncodings.set(given, (known = { encoding: preferredOf(given) }));
  }
  return known.encoding;
}

/** Headers that were read lately: nearly all requests have one of a few. */
const knownEncodings = new Map<string, { readonly encoding: Encoding | undefined }>();
const knownMax = 100;

function preferredOf(given: string): Encoding | undefined {
  const negotiator: PreferringNegotiator = new Negotiator({ headers: { "accept-encoding": given } });
  const best = negotiator.encoding([...encodings, "identity"], { preferred: [...encodings] });
  return encodings.find((encoding) => encoding === best);
}
