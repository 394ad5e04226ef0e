import type { BlockOfGpu } from "./history-columns.ts";

// A statement that reads rows and blocks has one list of columns for both. So a block travels in one more column, in the binary form
// of a PostgreSQL row: the number of its fields (int32), and for each the oid of its type, its length (-1: NULL) and its bytes.

/** An SQL expression for a block.
 *  @param metrics the metrics to read of it
 *  @param withOthers true: also the metrics outside the catalogue, and labelled series */
export function sentBlock(block: string, metrics: readonly string[], withOthers: boolean): string {
  const others = withOthers ? `${block}.others` : "null::bytea";
  const columns = metrics.map((name) => `, ${block}."${name}"`).join("");
  return `record_send(row(${block}.records, ${block}.times, ${others}, ${block}.runs::text${columns}))`;
}

const fieldsBeforeMetrics = 4;

/** Reads what `sentBlock` gave.
 *  @param metrics the same as there */
export function readSentBlock(
  sent: Uint8Array,
  metrics: readonly string[],
  of: Pick<BlockOfGpu, "gpuKey" | "fromMs">,
): BlockOfGpu {
  const fields = fieldsOf(sent);
  const [records, times, others, runs] = fields;
  if (records === undefined || times === undefined) throw new Error("a block was read without its instants");
  return {
    ...Object.fromEntries(metrics.map((name, index) => [name, fields[fieldsBeforeMetrics + index] ?? null])),
    ...of,
    kind: "block",
    records: viewOf(records).getInt32(0),
    times,
    others: others ?? null,
    runs: runs === undefined ? null : new TextDecoder().decode(runs),
  };
}

function fieldsOf(sent: Uint8Array): (Uint8Array | undefined)[] {
  const view = viewOf(sent);
  let at = 4;
  return Array.from({ length: view.getInt32(0) }, () => {
    const length = view.getInt32(at + 4);
    at += 8 + Math.max(0, length);
    return length < 0 ? undefined : sent.subarray(at - length, at);
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
