import type { SqlExecutor } from "../../../../db/client.ts";
import type { RecordPlace } from "../../../../db/sql/matching-places.ts";
import { selectStoredAt } from "../../../../db/sql/records-at.ts";
import type { RecordRow } from "../../../../db/sql/select-records.ts";
import type { Run } from "../../../../domain/block/block.ts";
import type { Gpu } from "../../../../domain/gpu.ts";
import { metricNames } from "../../../../domain/metrics.ts";
import type { StoredRecord } from "../../../../domain/query.ts";
import { allTime } from "../../../../domain/time-range.ts";
import type { OnUnreadable } from "../../telemetry-queries.ts";
import { type BlockPlace, byPlace } from "./block-places.ts";
import { type HistoryPart, partsOfBlocks } from "./history-part.ts";

/** A record of a part that has all columns, as it would be as a row. */
export function recordRowOf(
  { gpuKey, timesMs, metrics: columns, others, runs }: HistoryPart,
  index: number,
): RecordRow {
  const row: RecordRow & Record<string, unknown> = {
    gpuKey,
    timeMs: timesMs[index] as number,
    custom: others.size === 0 ? null : customOf(others, index),
    container: null,
    pod: null,
    namespace: null,
    occupants: runAt(runs, index)?.occupants ?? [],
  };
  for (const [name, column] of columns) {
    const value = column[index] as number;
    if (!Number.isNaN(value)) row[name] = value;
  }
  return row;
}

/** A record of a part that has all columns. */
export interface WholeRecord extends BlockPlace {
  readonly isWhole: true;
}

const noCustom = {};

/** Makes the records of a part that has all columns, as `toRecord` makes them of rows. */
export class WholeRecords {
  private readonly names: string[] = [];
  private readonly columns: Float64Array[] = [];

  constructor(readonly part: HistoryPart) {
    for (const [name, column] of part.metrics) {
      this.names.push(name);
      this.columns.push(column);
    }
  }

  /** @param index its place in the part  @param gpu the GPU as it was at the instant */
  at(index: number, gpu: Gpu): StoredRecord {
    const { names, columns } = this;
    const { timesMs, others, runs } = this.part;
    const metrics: Record<string, number> = {};
    for (let at = 0; at < names.length; at += 1) {
      const value = (columns[at] as Float64Array)[index] as number;
      if (value === value) metrics[names[at] as string] = value;
    }
    const custom = (others.size === 0 ? null : customOf(others, index)) ?? noCustom;
    return { gpu, timeMs: timesMs[index] as number, metrics, custom, occupants: runAt(runs, index)?.occupants ?? [] };
  }
}

/** The run of a record of a block. */
export function runAt(runs: readonly Run[], index: number): Run | undefined {
  let end = 0;
  for (const run of runs) if ((end += run.records) > index) return run;
  return undefined;
}

/** The other series of a record, in the order that the server gives them as jsonb: answers do not depend on where a record is. */
function customOf(others: ReadonlyMap<string, Float64Array>, index: number): Record<string, number> | null {
  const entries = [...others].flatMap(([name, column]): [Buffer, string, number][] => {
    const value = column[index] as number;
    return Number.isNaN(value) ? [] : [[Buffer.from(name), name, value]];
  });
  if (entries.length === 0) return null;
  entries.sort(([a], [b]) => a.length - b.length || Buffer.compare(a, b));
  return Object.fromEntries(entries.map(([, name, value]) => [name, value]));
}

/** Places that one statement reads: their blocks take a few MB. */
const placesPerStatement = 4096;
const gpusPerStatement = 512;

/** Reads records, wherever they are meanwhile. One that has been deleted is left out.
 *  @param onUnreadable receives the error of each block that cannot be read, whose records are left out; absent: it is thrown */
export async function recordsAt(
  executor: SqlExecutor,
  places: readonly RecordPlace[],
  onUnreadable?: OnUnreadable,
): Promise<RecordRow[]> {
  const found: RecordRow[] = [];
  for (const some of chunksOf(places)) {
    const wanted = Map.groupBy(some, ({ gpuKey }) => gpuKey);
    const { rows, blocks } = await selectStoredAt(executor, some);
    found.push(...rows);
    for (const part of await partsOfBlocks(blocks, metricNames, { ...allTime, onUnreadable })) {
      const instants = new Set(wanted.get(part.gpuKey)?.map(({ timeMs }) => timeMs));
      part.timesMs.forEach((timeMs, index) => {
        if (instants.has(timeMs)) found.push(recordRowOf(part, index));
      });
    }
  }
  return found;
}

/** Divides places, those of a GPU together: a block is then read once. */
function* chunksOf(places: readonly RecordPlace[]): Generator<readonly RecordPlace[]> {
  let chunk: RecordPlace[] = [];
  let gpus = 0;
  for (const place of places.toSorted((a, b) => a.gpuKey - b.gpuKey || byPlace(a, b))) {
    if (place.gpuKey !== chunk.at(-1)?.gpuKey) gpus += 1;
    if (chunk.length === placesPerStatement || gpus > gpusPerStatement) {
      yield chunk;
      [chunk, gpus] = [[], 1];
    }
    chunk.push(place);
  }
  if (chunk.length > 0) yield chunk;
}
