import Negotiator from "negotiator";
import { ApiError, shown } from "../api-error.ts";

/** How lists can be given: as one JSON answer, or row by row. */
export type Format = "json" | "csv" | "ndjson";

const mediaTypes: Readonly<Record<Format, string>> = {
  json: "application/json",
  csv: "text/csv",
  ndjson: "application/x-ndjson",
};

/** What a client takes best of what there is, by its Accept header; JSON where it does not say.
 *  @throws ApiError 406 where it takes none of it */
export function formatOf(request: Request): Format {
  const accept = request.headers.get("accept");
  if (accept === null || accept === "*/*") return "json";
  const best = new Negotiator({ headers: { accept } }).mediaType(Object.values(mediaTypes));
  for (const [format, mediaType] of Object.entries(mediaTypes)) if (mediaType === best) return format as Format;
  const available = Object.values(mediaTypes);
  throw new ApiError(406, "not_acceptable", {
    message: `accept=${JSON.stringify(shown(accept))} takes nothing of what there is: ${available.join(", ")}`,
    details: { accept: shown(accept), available },
  });
}

/** Content codings, the better first. */
const encodings = ["zstd", "gzip"] as const;
export type Encoding = (typeof encodings)[number];

/** With the option that its types do not know yet: which one to take of those that the client likes equally. */
interface PreferringNegotiator {
  encoding(available: string[], options?: { readonly preferred: string[] }): string | undefined;
}

/** How a client takes an answer compressed; undefined where it does not say so, or better takes it as it is. */
export function encodingOf(request: Request): Encoding | undefined {
  const given = request.headers.get("accept-encoding");
  if (given === null) return undefined;
  const negotiator: PreferringNegotiator = new Negotiator({ headers: { "accept-encoding": given } });
  const best = negotiator.encoding([...encodings, "identity"], { preferred: [...encodings] });
  return encodings.find((encoding) => encoding === best);
}
