import { metricNames } from "../../domain/metrics.ts";
import { epochMs } from "./epoch-ms.ts";
import { field, JoinedRows, joinedRows, sentRow } from "./joined-rows.ts";

// A statement that reads rows and blocks has one list of columns for both. So a block, or all blocks, travel in one more column.

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

const joinedWholeBlock = joinedRows(fieldsOf("b", wholeBlock));

/** An SQL expression for all blocks `b` of a query, as one value; NULL if there are none. */
export function joinedBlocks(columns: SentColumns): string {
  return columns === wholeBlock ? joinedWholeBlock : joinedRows(fieldsOf("b", columns));
}

/** An SQL expression for a block, which `readJoinedBlocks` reads. */
export function sentBlock(block: string, columns: SentColumns): string {
  return sentRow(fieldsOf(block, columns));
}

function fieldsOf(block: string, { metrics: names, withOthers, withRuns }: SentColumns): string[] {
  return [
    field.float8(`${block}.gpu_key`),
    field.float8(epochMs(`${block}.from_at`)),
    field.int4(`${block}.records`),
    field.bytea(`${block}.times`),
    field.bytea(withOthers ? `${block}.others` : "null"),
    field.text(withRuns ? `${block}.runs::text` : "null"),
    ...names.map((name) => field.bytea(`${block}."${name}"`)),
  ];
}

/** Reads what `joinedBlocks` or `sentBlock` gave.
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
