import { turnOfOthers } from "../../../kit/turn.ts";

/** Rows that become text at a time. It takes a few milliseconds, in which the process answers no other request. */
const rowsAtOnce = 200;

/** A JSON answer with many rows under `data`.
 *  @param head the fields before the rows
 *  @param shown a row as the API shows it */
export async function jsonRows<Row>(
  head: Readonly<Record<string, unknown>>,
  rows: readonly Row[],
  shown: (row: Row) => unknown,
): Promise<Response> {
  const encoder = new TextEncoder();
  const parts = [encoder.encode(`${JSON.stringify(head).slice(0, -1)},"data":[`)];
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    if (at > 0) await turnOfOthers();
    const text = JSON.stringify(rows.slice(at, at + rowsAtOnce).map(shown)).slice(1, -1);
    parts.push(encoder.encode(at === 0 ? text : `,${text}`));
  }
  parts.push(encoder.encode("]}"));
  return new Response(new Blob(parts), { headers: { "content-type": "application/json" } });
}
