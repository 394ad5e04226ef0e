import type { SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import type { SeriesPlace } from "../../../db/sql/conflicting-values.ts";
import { insertReported, type ReportedAttributes, reportsOfRecords } from "../../../db/sql/reported-attributes.ts";
import { selectRecordsAt } from "../../../db/sql/select-records.ts";
import { storedOccupants } from "../../../db/sql/stored-occupants.ts";
import { type ContradictedRow, readContradicted, replaceTelemetry } from "../../../db/sql/upsert-telemetry.ts";
import { attributesIdOf } from "../../../domain/attributes-id.ts";
import type { RejectedInput } from "../../../domain/batch.ts";
import { otherHostInput } from "../../../domain/building/two-hosts.ts";
import { combined, type Gpu } from "../../../domain/gpu.ts";
import { metrics } from "../../../domain/metrics.ts";
import type { ConflictChanges } from "./conflict-changes.ts";
import { type KeyedBatch, type Part, rowsOf } from "./batch-parts.ts";
import { mergedRecord, type MergedValues, type RecordValues } from "./merged-record.ts";
import { toRecord } from "./stored-rows.ts";

interface Contradicted {
  readonly merged: number;
  readonly conflicts: ConflictChanges;
  readonly rejected: readonly RejectedInput[];
  /** The keys of the GPUs of which two hosts have reported a record of one instant. */
  readonly contested: readonly number[];
}

/** A record of the batch and the stored one of the same GPU and instant. */
interface Pair {
  readonly row: number;
  readonly stored: ContradictedRow;
  readonly gpu: Gpu;
  /** What the stored record reports about the GPU. */
  readonly storedGpu: Gpu;
  readonly storedId: number;
}

/** Merges the records of a part that `completeTelemetry` does not merge, by the same rules as within a batch. If another host has
 *  reported the uuid at the same instant, the record of the host with the smaller name is kept, whichever came first. */
export async function mergeContradicted(
  transaction: SqlTransaction,
  part: Part,
  keyed: KeyedBatch,
): Promise<Contradicted> {
  const pairs = await readPairs(transaction, part, keyed);
  const isSameHost = ({ gpu, storedGpu }: Pair): boolean => gpu.hostname === storedGpu.hostname;
  const others = pairs.filter((pair) => !isSameHost(pair));
  const losing = others.filter(({ gpu, storedGpu }) => gpu.hostname > storedGpu.hostname);
  const winning = others.filter(({ gpu, storedGpu }) => gpu.hostname < storedGpu.hostname);
  const conflicts = await mergePairs(transaction, part, pairs.filter(isSameHost));
  const withdrawn = winning.map(({ row }) => placeOf(part, row));
  const rejectedRecords = losing.map(({ row }) => part.records[row] as number);
  const rejected = [...rejectNew(part, losing), ...(await rejectStored(transaction, part, winning))];
  await replaceWhole(transaction, part, winning);
  const contested = others.map(({ row }) => part.gpuKeys[row] as number);
  const changes = { ...conflicts, removed: [...conflicts.removed, ...withdrawn], rejectedRecords };
  return { merged: pairs.length - losing.length, conflicts: changes, rejected, contested };
}

async function readPairs(executor: SqlExecutor, part: Part, { batch }: KeyedBatch): Promise<Pair[]> {
  const rows = await readContradicted(executor, part);
  const isOther = ({ row, attributesId }: ContradictedRow): boolean => attributesId !== part.attributesIds[row];
  const others = rows.filter(isOther);
  const reports = await reportsOfRecords(
    executor,
    others.map(({ row, attributesId }) => ({
      gpuKey: part.gpuKeys[row] as number,
      timeMs: part.timesMs[row] as number,
      attributesId,
    })),
  );
  const reportOf = new Map(others.map(({ row }, index) => [row, reports.get(index)]));
  return rows.map((stored) => {
    const { row } = stored;
    const gpu = batch.gpus[batch.gpuIndexes[part.records[row] as number] as number] as Gpu;
    const report = reportOf.get(row);
    const storedGpu = report === undefined ? gpu : { ...report.attributes, uuid: gpu.uuid };
    return { row, stored, gpu, storedGpu, storedId: report?.attributesId ?? (part.attributesIds[row] as number) };
  });
}

function placeOf(part: Part, row: number): SeriesPlace {
  return { gpuKey: part.gpuKeys[row] as number, timeMs: part.timesMs[row] as number };
}

async function mergePairs(transaction: SqlTransaction, part: Part, pairs: readonly Pair[]): Promise<ConflictChanges> {
  const incoming = rowsOf(
    part,
    pairs.map(({ row }) => row),
  );
  const added: ReportedAttributes[] = [];
  const attributesIds = pairs.map(({ row, gpu, storedGpu, storedId }) => {
    const attributes = combined(storedGpu, gpu);
    if (attributes === storedGpu) return storedId;
    if (attributes === gpu) return part.attributesIds[row] as number;
    const attributesId = attributesIdOf(attributes);
    added.push({ gpuKey: part.gpuKeys[row] as number, attributesId, attributes });
    return attributesId;
  });
  const merged = pairs.map(({ stored, row }) => mergedRecord(storedValues(stored, part), valuesOf(part, row)));
  insertReported(transaction, added);
  await replaceTelemetry(transaction, {
    ...incoming,
    metrics: part.metrics.map(({ name }) => ({
      name,
      values: merged.map(({ metrics: values }) => values.get(name) ?? NaN),
    })),
    custom: merged.map(({ custom }) => (custom.size === 0 ? undefined : JSON.stringify(Object.fromEntries(custom)))),
    occupants: merged.map(({ occupants }) => occupants),
    attributesIds,
  });
  const ofPairs = pairs.map(({ row }, index) => ({ place: placeOf(part, row), ...(merged[index] as MergedValues) }));
  return {
    removed: ofPairs.flatMap(({ place, folded }) => folded.map((series) => ({ ...place, series }))),
    added: ofPairs.flatMap(({ place, lesser }) => lesser.map(([series, value]) => ({ ...place, series, value }))),
    rejectedRecords: [],
  };
}

/** Writes records in place of those of other hosts. */
async function replaceWhole(transaction: SqlTransaction, part: Part, pairs: readonly Pair[]): Promise<void> {
  const rows = rowsOf(
    part,
    pairs.map(({ row }) => row),
  );
  const given = new Map(rows.metrics.map(({ name, values }) => [name, values]));
  await replaceTelemetry(transaction, {
    ...rows,
    metrics: metrics.map(({ name }) => ({ name, values: given.get(name) ?? pairs.map(() => NaN) })),
  });
}

function rejectNew(part: Part, pairs: readonly Pair[]): RejectedInput[] {
  return pairs.map(({ row, gpu, storedGpu }) => {
    const { metrics: values, custom } = valuesOf(part, row);
    return rejection(part, row, { gpu, keptHost: storedGpu.hostname, samples: [...values, ...custom] });
  });
}

async function rejectStored(executor: SqlExecutor, part: Part, winning: readonly Pair[]): Promise<RejectedInput[]> {
  if (winning.length === 0) return [];
  const rows = await selectRecordsAt(
    executor,
    rowsOf(
      part,
      winning.map(({ row }) => row),
    ),
  );
  const byPlace = new Map(rows.map((row) => [`${row.gpuKey} ${row.timeMs}`, row]));
  return winning.flatMap(({ row, gpu, storedGpu }) => {
    const found = byPlace.get(`${part.gpuKeys[row]} ${part.timesMs[row]}`);
    if (found === undefined) return [];
    const { metrics: values, custom } = toRecord(found, storedGpu);
    const samples = [...Object.entries(values), ...Object.entries(custom)];
    return [rejection(part, row, { gpu: storedGpu, keptHost: gpu.hostname, samples })];
  });
}

interface Rejected {
  readonly gpu: Gpu;
  readonly keptHost: string;
  readonly samples: readonly (readonly [string, number])[];
}

/** The store does not know which lines a record came from, so the place is the record's index in the message. A stored record
 *  that is replaced gets the place of the one that replaces it. */
function rejection(part: Part, row: number, { gpu, keptHost, samples }: Rejected): RejectedInput {
  const place = { line: 0, byte: part.records[row] as number };
  const timeMs = part.timesMs[row] as number;
  return otherHostInput({ gpu, timeMs, samples, keptHost, hostField: "hostname", place });
}

function storedValues(stored: ContradictedRow, part: Part): RecordValues {
  const columns = stored as unknown as Readonly<Record<string, unknown>>;
  return {
    metrics: new Map(
      part.metrics.flatMap(({ name }): [string, number][] => {
        const value = columns[name];
        return typeof value === "number" ? [[name, value]] : [];
      }),
    ),
    custom: new Map(Object.entries(stored.custom ?? {})),
    occupants: storedOccupants(stored),
  };
}

function valuesOf(part: Part, row: number): RecordValues {
  return {
    metrics: new Map(
      part.metrics.flatMap(({ name, values }): [string, number][] => {
        const value = values[row] as number;
        return Number.isNaN(value) ? [] : [[name, value]];
      }),
    ),
    custom: new Map(Object.entries(JSON.parse(part.custom[row] ?? "{}") as Record<string, number>)),
    occupants: part.occupants[row] ?? [],
  };
}
