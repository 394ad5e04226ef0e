import { stringify } from "csv-stringify/sync";
import type { Row } from "./columns.ts";
import { compressedStream } from "./compress.ts";
import { encodingOf, type Format } from "./negotiate.ts";

/** Rows that arrive in parts, and the format to write them in. */
export interface RowAnswer {
  readonly request: Request;
  readonly format: Exclude<Format, "json">;
  /** The columns of a CSV. An object in a cell is written as JSON. */
  readonly columns: readonly string[];
  /** Each part after the first is read when the stream of the response asks for more. The generator is closed if the client
   *  disconnects. */
  readonly parts: AsyncGenerator<readonly Row[], void>;
}

const contentTypes = { csv: "text/csv; charset=utf-8; header=present", ndjson: "application/x-ndjson" } as const;

/** Streams an answer part by part, with one part in memory at a time. An error before the first part becomes an error
 *  response; a later error aborts the stream. */
export async function rowAnswer({ request, format, columns, parts }: RowAnswer): Promise<Response> {
  const texts = textsOf(await parts.next(), parts, format === "csv" ? columns : undefined);
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        // for a HEAD request, Bun reads the whole stream to find its length; stop once the client has disconnected
        const { done, value } = request.signal.aborted ? await texts.return() : await texts.next();
        if (done === true) controller.close();
        else controller.enqueue(new TextEncoder().encode(value));
      },
      cancel: () => texts.return().then(() => undefined),
    },
    { highWaterMark: 0 },
  );
  const encoding = encodingOf(request);
  const headers = {
    "content-type": contentTypes[format],
    "cache-control": "no-cache",
    vary: "accept, accept-encoding",
  };
  if (encoding === undefined) return new Response(body, { headers });
  return new Response(compressedStream(body, encoding), { headers: { ...headers, "content-encoding": encoding } });
}

/** The texts of the parts. Empty texts are left out, because a stream does not pull again after an empty text.
 *  @param columns the columns of a CSV, whose header is written even if there are no rows; undefined for NDJSON */
async function* textsOf(
  first: IteratorResult<readonly Row[], void>,
  parts: AsyncGenerator<readonly Row[], void>,
  columns: readonly string[] | undefined,
): AsyncGenerator<string, void> {
  try {
    let isFirst = true;
    for (let part = first; part.done !== true || isFirst; part = await parts.next()) {
      const rows = part.value ?? [];
      const text = columns === undefined ? ndjsonOf(rows) : csvOf(rows, columns, isFirst);
      isFirst = false;
      if (text !== "") yield text;
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
    // otherwise, a spreadsheet would run a text such as =1+1
    escape_formulas: true,
    cast: { boolean: String, number: String },
  });
}

function ndjsonOf(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
