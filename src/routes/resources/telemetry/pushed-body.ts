import type { PushedBody, PushFormat } from "../../../pipeline/source/push.ts";
import { badBody, pushed, tooLarge, unsupportedHeader } from "./body-errors.ts";

const formats: Readonly<Record<string, PushFormat>> = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/x-jsonlines": "ndjson",
  "text/csv": "csv",
};
const packings: Readonly<Record<string, PushedBody["packing"]>> = {
  ...{ "": undefined, identity: undefined, gzip: "gzip", "x-gzip": "gzip", zstd: "zstd" },
};

/** The content types of pushes. */
export const pushTypes = Object.keys(formats);

/** Finds out how a request's body is written.
 *  @throws ApiError 415 with what is supported, 413 if it says that it is too large, 400 if there is none */
export function pushedBodyOf(
  { headers, body }: Request,
  { maxBytes, ...defaults }: Pick<PushedBody, "clusterId" | "hostname"> & { readonly maxBytes: number },
): PushedBody {
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const format = Object.hasOwn(formats, type) ? formats[type] : undefined;
  if (format === undefined) throw unsupportedHeader("content-type", type, pushTypes);
  const coding = (headers.get("content-encoding") ?? "").trim().toLowerCase();
  if (!Object.hasOwn(packings, coding))
    throw unsupportedHeader("content-encoding", coding, ["gzip", "zstd", "identity"]);
  const bytes = Number(headers.get("content-length") ?? 0);
  if (bytes > maxBytes) throw tooLarge(`The body has ${bytes} bytes`, { kind: pushed, maxBytes });
  if (body === null) throw badBody("The body is empty; send records");
  return { format, packing: packings[coding], bytes: body, ...defaults };
}
