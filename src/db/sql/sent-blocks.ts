import { metricNames } from "../../domain/metrics.ts";
import type { BlockOfGpu } from "./history-columns.ts";

// A statement that reads rows and blocks has one list of columns for both. So a block travels in one more column, in the binary form
// of a PostgreSQL row: the number of its fields (int32), and for each the oid of its type, its length (-1: NULL) and its bytes.

/** What to read of a block, besides its instants. */
export interface SentColumns {
  /** Names of the catalogue. */
  readonly metrics: readonly string[];
  /** True: also the metrics outside the catalogue, and labelled series. */
  readonly withOthers: boolean;
  /** True: also who held the GPU, and what was reported about it. */
  readonly withRuns: boolean;
}

/** All columns of a block. */
export const wholeBlock: SentColumns = { metrics: metricNames, withOthers: true, withRuns: true };

/** An SQL expression for a block. */
export function sentBlock(block: string, { metrics: names, withOthers, withRuns }: SentColumns): string {
  const others = withOthers ? `${block}.others` : "null::bytea";
  const runs = withRuns ? `${block}.runs::text` : "null::text";
  const columns = names.map((name) => `, ${block}."${name}"`).join("");
  return `record_send(row(${block}.records, ${block}.times, ${others}, ${runs}${columns}))`;
}

const fieldsBeforeMetrics = 4;

/** Reads what `sentBlock` gave.
 *  @param names the metrics that were read there */
export function readSentBlock(
  sent: Uint8Array,
  names: readonly string[],
  of: Pick<BlockOfGpu, "gpuKey" | "fromMs">,
): BlockOfGpu {
  const fields = fieldsOf(sent);
  const [records, times, others, runs] = fields;
  if (records === undefined || times === undefined) throw new Error("a block was read without its instants");
  return {
    ...Object.fromEntries(names.map((name, index) => [name, fields[fieldsBeforeMetrics + index] ?? null])),
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
