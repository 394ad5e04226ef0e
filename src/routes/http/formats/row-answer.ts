import type { TObject } from "@sinclair/typebox";
import { stringify } from "csv-stringify/sync";
import { requesterOf } from "../access/requester.ts";
import { Asker, presentAsker } from "../access/asker.ts";
import type { Row } from "./columns.ts";
import { compressedStream } from "./compress.ts";
import { parquetOf, type RowParts } from "./parquet-rows.ts";
import { jsonCell, textCell } from "./csv-cells.ts";
import { type Paging, pagingHeaders } from "./paging-headers.ts";
import { headAnswer } from "../head-answer.ts";
import { rowEncoding, rowHeaders } from "./head-of.ts";
import type { Format } from "./negotiate.ts";
import { encoded, streamedBody } from "./streamed-body.ts";

/** Rows that arrive in parts, and the format to write them in. */
export interface RowAnswer {
  readonly request: Request;
  readonly format: Exclude<Format, "json">;
  /** The columns of a CSV or Parquet, or what finds them after the first part is read. An object in a cell is written as JSON. */
  readonly columns: readonly string[] | (() => readonly string[]);
  /** Says what the values of a Parquet's columns are; undefined: they are what the first rows have. */
  readonly schema: TObject | undefined;
  /** How many rows the list has, and how to go on. */
  readonly paging?: Paging;
  /** Each part after the first is read when the stream of the response asks for more. The generator is closed if the client
   *  disconnects. */
  readonly parts: AsyncGenerator<readonly Row[], void>;
}

/** Rows that become text at a time. It takes about 5 ms, in which the process answers no other request. */
const rowsAtOnce = 100;

/** Streams an answer part by part, with one part in memory at a time. An error before the first part becomes an error
 *  response; a later error aborts the stream, as does the end of the caller. For a HEAD request, no part is read. */
export async function rowAnswer(answer: RowAnswer): Promise<Response> {
  const { request, format, columns, schema, parts, paging = {} } = answer;
  const headers = { ...rowHeaders(request, format), ...pagingHeaders(request, paging) };
  if (request.method === "HEAD") return headAnswer(request, headers);
  // the stream is read after the request's handler has ended
  const asker = presentAsker() ?? new Asker(() => requesterOf(request));
  const release = asker.hold("exports");
  const { first, found } = await beginningOf(parts, format === "ndjson" ? undefined : columns).catch(
    (error: unknown) => {
      release();
      throw error;
    },
  );
  const rows = { first, parts, asker, columns: found };
  const bytes = format === "parquet" ? parquetOf({ ...rows, schema }) : encoded(textsOf(rows));
  const body = streamedBody(bytes, asker, release);
  const encoding = rowEncoding(request, format);
  const sent = encoding === undefined ? body : compressedStream(body, encoding);
  return new Response(sent, { headers });
}

async function beginningOf(parts: RowAnswer["parts"], columns: RowAnswer["columns"] | undefined) {
  const first = await parts.next();
  return { first, found: typeof columns === "function" ? columns() : columns };
}

interface Parts extends RowParts {
  /** The columns of a CSV, whose header is written even if there are no rows; undefined for NDJSON. */
  readonly columns: readonly string[] | undefined;
}

/** The texts of the parts. Empty texts are left out, because a stream does not pull again after an empty text. */
async function* textsOf({ first, parts, asker, columns }: Parts): AsyncGenerator<string, void> {
  try {
    let isFirst = true;
    for (let part = first; part.done !== true || isFirst; part = await parts.next()) {
      const rows = part.value ?? [];
      for (let at = 0; at < rows.length || isFirst; at += rowsAtOnce) {
        const some = rows.slice(at, at + rowsAtOnce);
        const text = columns === undefined ? ndjsonOf(some) : csvOf(some, columns, isFirst);
        isFirst = false;
        if (text !== "") yield text;
        await asker.othersFirst();
      }
      if (part.done === true) return;
    }
  } finally {
    await parts.return();
  }
}

function csvOf(rows: readonly Row[], columns: readonly string[], header: boolean): string {
  return stringify([...rows], {
    header,
    columns: [...columns],
    cast: { boolean: String, number: String, string: textCell, object: jsonCell },
  });
}

function ndjsonOf(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
