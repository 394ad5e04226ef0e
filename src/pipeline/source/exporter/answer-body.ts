import { gunzipSync } from "node:zlib";
import type { ExpositionFormat, ReceivedExposition } from "../exposition/scanned-exposition.ts";
import { ScrapeFailed } from "./scrape-failed.ts";

/** An answer as it was received. */
export interface ReceivedAnswer {
  readonly bytes: Uint8Array;
  /** The headers; empty if absent. */
  readonly contentType: string;
  readonly contentEncoding: string;
}

/** The text of an answer, decompressed, in UTF-8, with the format that its Content-Type names.
 *  @param maxBytes of the decompressed text
 *  @throws ScrapeFailed if it is too large, incomplete or certainly no exposition */
export function expositionOf(answer: ReceivedAnswer, maxBytes: number): ReceivedExposition {
  const body = inUtf8(decompressed(answer, maxBytes), answer.contentType);
  const problem = notExposition(body, answer.contentType);
  if (problem !== undefined) throw new ScrapeFailed("not_exposition", problem);
  const format = formatOf(answer.contentType);
  if (format === "openmetrics" && !endsWithEof(body)) {
    throw new ScrapeFailed("closed_early", "its answer ends in the middle: the last line is not # EOF");
  }
  return format === undefined ? { bytes: body } : { bytes: body, format };
}

/** text/plain without a version is what servers say of any file. */
function formatOf(contentType: string): ExpositionFormat | undefined {
  if (/^\s*application\/openmetrics-text\s*(?:;|$)/i.test(contentType)) return "openmetrics";
  return /^\s*text\/plain\s*;(?:.*;)?\s*version\s*=\s*"?0\.0\.\d/i.test(contentType) ? "text" : undefined;
}

/** What to say about an answer that is larger than the limit. */
export function tooLarge(maxBytes: number): ScrapeFailed {
  const mebibytes = maxBytes / 1024 / 1024;
  return new ScrapeFailed("too_large", `its answer is larger than ${mebibytes} MiB (DCGM_MAX_ANSWER_MIB)`);
}

function decompressed({ bytes, contentEncoding }: ReceivedAnswer, maxBytes: number): Uint8Array {
  // servers of files send a compressed file as it is
  const isUnsaid = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isUnsaid && (contentEncoding === "" || contentEncoding === "identity")) return bytes;
  if (!isUnsaid && contentEncoding !== "gzip" && contentEncoding !== "x-gzip") {
    throw new ScrapeFailed("not_exposition", `its answer has the encoding ${contentEncoding}; only gzip is accepted`);
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    if (code === "Z_BUF_ERROR")
      throw new ScrapeFailed("closed_early", "its compressed answer ends in the middle", { cause });
    throw new ScrapeFailed("not_exposition", "its answer is said to be gzip, but is not", { cause });
  }
}

function inUtf8(body: Uint8Array, contentType: string): Uint8Array {
  const [, said = "utf-8"] = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType) ?? [];
  const charset = utf16Of(body) ?? said;
  if (/^(?:utf-?8|us-ascii)$/i.test(charset)) return body;
  try {
    return new TextEncoder().encode(new TextDecoder(charset as "utf-8").decode(body));
  } catch (cause) {
    throw new ScrapeFailed("not_exposition", `its answer has the unknown character set ${charset}`, { cause });
  }
}

/** The character set that a mark at the beginning names: such a text is no UTF-8, whatever the header says. */
function utf16Of([first, second]: Uint8Array): string | undefined {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : undefined;
}

const lessThan = 0x3c;

/** Says why a body is certainly no exposition; undefined if it may be one. */
function notExposition(body: Uint8Array, contentType: string): string | undefined {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type.includes("protobuf")) return "its answer is Protobuf, although text was asked for";
  const first = body.find((byte) => byte > 0x20 && byte < 0x80);
  if (first === undefined) return "its answer is empty; the exporter may have lost its host engine";
  if (first === lessThan || type === "text/html") {
    return "its answer is a web page, not an exposition; is /metrics its path?";
  }
  return type.startsWith("application/json") ? "its answer is JSON, not an exposition" : undefined;
}

/** Enough for the last line and blank lines after it. */
const tailBytes = 32;

function endsWithEof(body: Uint8Array): boolean {
  return new TextDecoder().decode(body.subarray(-tailBytes)).trimEnd().endsWith("# EOF");
}
