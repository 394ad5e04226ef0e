import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { UndecodableBlock } from "../errors.ts";
import type { Block, Run } from "./block.ts";
import { decodeNamedColumn } from "./named-part.ts";
import { decodeColumn, decodeNumbers, encodeNumbers, type TakeColumn } from "./number-column.ts";
import { decodeSeries, encodeSeries } from "./series-columns.ts";

/** The greatest number of records of a block: what a damaged number of records can cost is then bounded, and reading a few records
 *  decodes no more than this. */
export const blockRecordsMax = 8192;

/** A block as it is stored. */
export interface PackedBlock {
  readonly records: number;
  readonly times: Uint8Array;
  /** Catalogue metric name -> its column; only metrics that have values. */
  readonly metrics: ReadonlyMap<string, Uint8Array>;
  /** Undefined: there are no other series. */
  readonly others: Uint8Array | undefined;
  /** JSON. */
  readonly runs: string;
}

/** Encodes a block of at most `blockRecordsMax` records. */
export function packBlock({ timesMs, metrics, others, runs }: Block): PackedBlock {
  return {
    records: timesMs.length,
    times: encodeNumbers(timesMs),
    metrics: new Map(Array.from(withValues(metrics), ([name, values]) => [name, encodeNumbers(values)])),
    others: encodeSeries(withValues(others)),
    runs: textOfRuns(runs),
  };
}

/** The series that have values. */
function withValues(series: ReadonlyMap<string, Float64Array>): ReadonlyMap<string, Float64Array> {
  if (series.values().every(hasValues)) return series;
  return new Map([...series].filter(([, values]) => hasValues(values)));
}

function hasValues(values: Float64Array): boolean {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    if (value === value) return true;
  }
  return false;
}

/** Decodes the instants of a block. @throws UndecodableBlock if they are damaged, which names the column */
export function decodeTimes(times: Uint8Array, records: number): Float64Array {
  if (!(records >= 0 && records <= blockRecordsMax)) throw new UndecodableBlock(`a block has ${records} records`);
  return decodeNamedColumn("times", () => decodeNumbers(times, records));
}

/** Decodes a block, or what was read of it.
 *  @param packed `runs` is undefined if they were not read; then the block has none
 *  @throws UndecodableBlock if it is damaged, which names the column */
export function unpackBlock(packed: Omit<PackedBlock, "runs"> & { readonly runs: string | undefined }): Block {
  return unpackColumns(packed, decodeTimes(packed.times, packed.records));
}

/** The same, of a block whose instants are decoded already. */
export function unpackColumns(
  { records, metrics, others, runs }: Omit<PackedBlock, "runs" | "times"> & { readonly runs: string | undefined },
  timesMs: Float64Array,
): Block {
  return {
    timesMs,
    metrics: new Map(
      Array.from(metrics, ([name, column]) => [name, decodeNamedColumn(name, () => decodeNumbers(column, records))]),
    ),
    others:
      others === undefined
        ? new Map<string, Float64Array>()
        : decodeNamedColumn("others", () => decodeSeries(others, records)),
    runs: runs === undefined ? [] : decodeNamedColumn("runs", () => runsOf(runs, records)),
  };
}

/** True if a block is restored to the bit. A series without values is the same as none. */
export function isRestored(packed: PackedBlock, block: Block): boolean {
  const { records, times, metrics, others, runs } = packed;
  const take = sameColumn();
  const isSame = (bytes: Uint8Array | undefined, values: Float64Array): boolean =>
    bytes !== undefined && isSameColumn(decodeColumn(bytes, records, take).values, values);
  const series = withValues(block.metrics);
  return (
    isSame(times, block.timesMs) &&
    metrics.size === series.size &&
    series.entries().every(([name, values]) => isSame(metrics.get(name), values)) &&
    areSameColumns(withValues(block.others), others === undefined ? new Map() : decodeSeries(others, records)) &&
    textOfRuns(block.runs) === textOfRuns(runsOf(runs, records))
  );
}

/** Gives one array again and again, for columns of one length. */
function sameColumn(): TakeColumn {
  let column = new Float64Array(0);
  return (length) => {
    if (column.length !== length) column = new Float64Array(length);
    return column;
  };
}

/** The runs as JSON. Occupants and ids come again and again: they are written once, and the runs refer to them. */
const runsTextSchema = Type.Object({
  ids: Type.Array(Type.Union([Type.Number(), Type.Null()])),
  /** Container, pod and namespace of each. */
  occupants: Type.Array(Type.Array(Type.Tuple([Type.String(), Type.String(), Type.String()]))),
  /** Three numbers a run: its records, the index of its id, that of its occupants. */
  runs: Type.Array(Type.Number()),
});
const runsText = TypeCompiler.Compile(runsTextSchema);
type RunsText = Static<typeof runsTextSchema>;

function textOfRuns(runs: readonly Run[]): string {
  const ids = [...new Set(runs.map(({ attributesId }) => attributesId))];
  const texts = runs.map(({ occupants }) =>
    JSON.stringify(occupants.map(({ container, pod, namespace }) => [container, pod, namespace])),
  );
  const distinct = [...new Set(texts)];
  const numbers = runs.flatMap(({ records, attributesId }, index) => [
    records,
    ids.indexOf(attributesId),
    distinct.indexOf(texts[index] as string),
  ]);
  return `{"ids":${JSON.stringify(ids)},"occupants":[${distinct.join()}],"runs":${JSON.stringify(numbers)}}`;
}

function runsOf(text: string, records: number): Run[] {
  const { ids, occupants, runs: numbers } = runsTextOf(text);
  const sets = occupants.map((set) => set.map(([container, pod, namespace]) => ({ container, pod, namespace })));
  const runs: Run[] = [];
  let count = 0;
  for (let at = 0; at < numbers.length; at += 3) {
    const [ofRun = NaN, id = NaN, set = NaN] = numbers.slice(at, at + 3);
    const [attributesId, held] = [ids[id], sets[set]];
    if (attributesId === undefined || held === undefined || !(ofRun > 0)) throw new UndecodableBlock(damagedRuns);
    runs.push({ records: ofRun, attributesId, occupants: held });
    count += ofRun;
  }
  if (count === records) return runs;
  throw new UndecodableBlock(`the runs of a block have ${count} records, and the block has ${records}`);
}

const damagedRuns = "the runs of a block are damaged";

function runsTextOf(text: string): RunsText {
  let runs: unknown;
  try {
    runs = JSON.parse(text);
  } catch (cause) {
    throw new UndecodableBlock(damagedRuns, { cause });
  }
  if (runsText.Check(runs)) return runs;
  throw new UndecodableBlock(damagedRuns);
}

function areSameColumns(a: ReadonlyMap<string, Float64Array>, b: ReadonlyMap<string, Float64Array>): boolean {
  return a.size === b.size && Array.from(a).every(([name, values]) => isSameColumn(values, b.get(name)));
}

function isSameColumn(a: Float64Array, b: Float64Array | undefined): boolean {
  if (a.length !== b?.length) return false;
  for (let index = 0; index < a.length; index += 1) {
    const value = a[index] as number;
    const other = b[index] as number;
    const isSame = value === other ? value !== 0 || 1 / value === 1 / other : value !== value && other !== other;
    if (!isSame) return false;
  }
  return true;
}
