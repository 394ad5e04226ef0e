import { metricNames } from "../../domain/metrics.ts";
import { epochMs } from "./epoch-ms.ts";
import { JoinedRows, joinedRows } from "./joined-rows.ts";

// A statement that reads rows and blocks has one list of columns for both. So a block, or all blocks, travel in one more column, in the
// binary form of a PostgreSQL row: the number of its fields (int32), and for each the oid of its type, its length (-1: NULL) and its bytes.

/** A block that was read. It also has a column for each metric, null if no record has a value. */
export interface BlockOfGpu {
  readonly kind: "block";
  readonly gpuKey: number;
  /** The instant of its first record, which may be before the range. */
  readonly fromMs: number;
  readonly records: number;
  readonly times: Uint8Array;
  /** Null also if they were not wanted; so are `runs`. */
  readonly others: Uint8Array | null;
  readonly runs: string | null;
}

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

const joinedWholeBlock = joinedBy(wholeBlock);

/** An SQL expression for all blocks `b` of a query, as one value; NULL if there are none. */
export function joinedBlocks(columns: SentColumns): string {
  return columns === wholeBlock ? joinedWholeBlock : joinedBy(columns);
}

function joinedBy({ metrics: names, withOthers, withRuns }: SentColumns): string {
  return joinedRows([
    ...["b.gpu_key::float8", epochMs("b.from_at"), "b.records", "b.times"],
    withOthers ? "b.others" : "null::bytea",
    withRuns ? "b.runs::text" : "null::text",
    ...names.map((name) => `b."${name}"`),
  ]);
}

/** Reads what `joinedBlocks` gave.
 *  @param names the metrics that were read there */
export function readJoinedBlocks(sent: Uint8Array | null, names: readonly string[]): BlockOfGpu[] {
  const blocks: BlockOfGpu[] = [];
  for (const rows = new JoinedRows(sent ?? new Uint8Array()); rows.next();) {
    const block: BlockOfGpu & Record<string, unknown> = {
      kind: "block",
      gpuKey: rows.float8(),
      fromMs: Math.round(rows.float8()),
      records: rows.int4(),
      times: rows.bytea() as Uint8Array,
      others: rows.bytea(),
      runs: rows.text(),
    };
    for (const name of names) {
      const column = rows.bytea();
      if (column !== null) block[name] = column;
    }
    blocks.push(block);
  }
  return blocks;
}

/** An SQL expression for a block. */
export function sentBlock(block: string, { metrics: names, withOthers, withRuns }: SentColumns): string {
  const others = withOthers ? `${block}.others` : "null::bytea";
  const runs = withRuns ? `${block}.runs::text` : "null::text";
  const columns = names.map((name) => `, ${block}."${name}"`).join("");
  return `record_send(row(${block}.records, ${block}.times, ${others}, ${runs}${columns}))`;
}

/** Reads what `sentBlock` gave.
 *  @param names the metrics that were read there */
export function readSentBlock(
  sent: Uint8Array,
  names: readonly string[],
  of: Pick<BlockOfGpu, "gpuKey" | "fromMs">,
): BlockOfGpu {
  const fields = new SentFields(sent);
  const [records, times, others, runs] = [fields.next(), fields.next(), fields.next(), fields.next()];
  if (records === undefined || times === undefined) throw new Error("a block was read without its instants");
  const block: BlockOfGpu & Record<string, unknown> = {
    ...of,
    kind: "block",
    records: Buffer.from(records.buffer, records.byteOffset).readInt32BE(0),
    times,
    others: others ?? null,
    runs: runs === undefined ? null : new TextDecoder().decode(runs),
  };
  for (const name of names) {
    const column = fields.next();
    if (column !== undefined) block[name] = column;
  }
  return block;
}

/** The fields of a row. */
class SentFields {
  private readonly view: DataView;
  private at = 4;

  constructor(private readonly sent: Uint8Array) {
    this.view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
  }

  /** @returns undefined for NULL */
  next(): Uint8Array | undefined {
    const length = this.view.getInt32(this.at + 4);
    this.at += 8 + Math.max(0, length);
    return length < 0 ? undefined : this.sent.subarray(this.at - length, this.at);
  }
}
