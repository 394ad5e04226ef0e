import type { Occupants } from "../gpu.ts";

/** Records in a row that report the same about their GPU, and have the same workloads. */
export interface Run {
  readonly records: number;
  /** See `reported_attributes`; null for records that are older than that table. */
  readonly attributesId: number | null;
  readonly occupants: Occupants;
}

/** Records of one GPU in the order of their instants, in columns of the same length. */
export interface Block {
  /** Milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  /** Catalogue metric name -> a value for each record; NaN if the record has none. */
  readonly metrics: ReadonlyMap<string, Float64Array>;
  /** The same for metrics outside the catalogue, and for labelled series. */
  readonly others: ReadonlyMap<string, Float64Array>;
  /** The runs of all records, in order. */
  readonly runs: readonly Run[];
}

/** Some records of a block, as a block of their own. */
export function partOf(block: Block, from: number, to: number): Block {
  const { timesMs, metrics, others, runs } = block;
  // a view of a short array takes several times its memory
  if (from === 0 && to === timesMs.length) return block;
  const columnsOf = (columns: ReadonlyMap<string, Float64Array>): Map<string, Float64Array> =>
    new Map(Array.from(columns, ([name, values]) => [name, values.subarray(from, to)]));
  const parts: Run[] = [];
  let at = 0;
  for (const run of runs) {
    const records = Math.min(to, at + run.records) - Math.max(from, at);
    if (records > 0) parts.push({ ...run, records });
    at += run.records;
  }
  return { timesMs: timesMs.subarray(from, to), metrics: columnsOf(metrics), others: columnsOf(others), runs: parts };
}

/** The records of several blocks of a GPU as one block.
 *  @param blocks in the order of instants */
export function joinBlocks(blocks: readonly Block[]): Block {
  const [first, ...others] = blocks;
  if (first !== undefined && others.length === 0) return first;
  return {
    timesMs: joinColumns(blocks.map(({ timesMs }) => timesMs)),
    metrics: joinSeries(blocks, ({ metrics }) => metrics),
    others: joinSeries(blocks, (block) => block.others),
    runs: joinRuns(blocks.flatMap(({ runs }) => runs)),
  };
}

/** The series that any of the blocks has, in the order of their names. */
function joinSeries(
  blocks: readonly Block[],
  of: (block: Block) => ReadonlyMap<string, Float64Array>,
): Map<string, Float64Array> {
  const names = [...new Set(blocks.flatMap((block) => [...of(block).keys()]))].sort();
  return new Map(
    names.map((name) => [
      name,
      joinColumns(blocks.map((block) => of(block).get(name) ?? new Float64Array(block.timesMs.length).fill(NaN))),
    ]),
  );
}

function joinColumns(columns: readonly Float64Array[]): Float64Array {
  const joined = new Float64Array(columns.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const column of columns) {
    joined.set(column, at);
    at += column.length;
  }
  return joined;
}

/** Runs in a row that are alike become one. */
function joinRuns(runs: readonly Run[]): Run[] {
  const joined: Run[] = [];
  const textOf = ({ attributesId, occupants }: Run): string => JSON.stringify([attributesId, occupants]);
  let lastText: string | undefined;
  for (const run of runs) {
    const [last, text] = [joined.at(-1), textOf(run)];
    if (last === undefined || text !== lastText) joined.push(run);
    else joined[joined.length - 1] = { ...last, records: last.records + run.records };
    lastText = text;
  }
  return joined;
}
