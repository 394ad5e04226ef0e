import Negotiator from "negotiator";
import { ApiError, shown } from "../api-error.ts";

/** The formats of lists: one JSON document, or rows as CSV, NDJSON or Parquet. */
export type Format = "json" | "csv" | "ndjson" | "parquet";

/** The media types of the formats, each under the names that its clients use; the first is the one of a client that takes any. */
const formats: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "text/csv": "csv",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/x-jsonlines": "ndjson",
  "application/vnd.apache.parquet": "parquet",
};
const available = Object.keys(formats);

/** A parameter of a media range that is not its weight, such as `; charset=utf-8`. */
const parameter = /\s*;\s*(?!q\s*=)[^\s;,="]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,]*))?/gi;

/** The format that the Accept header prefers; JSON without the header.
 *  @throws ApiError 406 if the header allows none of the formats */
export function formatOf(request: Request): Format {
  return formats[mediaTypeOf(request)] ?? "json";
}

/** The media type that the Accept header prefers, whatever parameters it has: all texts are UTF-8.
 *  @throws ApiError 406 if the header allows no type of a format */
export function mediaTypeOf(request: Request): string {
  const accept = request.headers.get("accept") ?? "";
  if (accept === "" || accept === "*/*") return "application/json";
  const [best] = acceptedTypes(accept, available);
  if (best !== undefined) return best;
  throw new ApiError(406, "not_acceptable", {
    message: `accept=${JSON.stringify(shown(accept))} matches no supported media type: ${available.join(", ")}`,
    details: { accept: shown(accept), available },
  });
}

/** Those of some types that an Accept header allows, whatever parameters it has; the preferred one first. */
export function acceptedTypes(accept: string, available: readonly string[]): readonly string[] {
  return new Negotiator({ headers: { accept: accept.replace(parameter, "") } }).mediaTypes([...available]);
}

/** The format in which a Prometheus prefers metrics. A reader that takes neither gets the plain text, as of exporters. */
export function expositionFormatOf(request: Request): "text" | "openmetrics" {
  const [best] = acceptedTypes(request.headers.get("accept") ?? "", ["text/plain", openMetrics]);
  return best === openMetrics ? "openmetrics" : "text";
}

const openMetrics = "application/openmetrics-text";

/** Content codings, in order of preference. Some clients send that they accept zstd, and cannot read it: undici of Node 20. */
const encodings = ["gzip", "zstd"] as const;
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
