import type { RecordBatch } from "../../src/domain/batch.ts";
import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { parseSeries } from "../../src/domain/series.ts";

/** A record as all batches together describe it. */
export interface MergedRecord {
  readonly gpu: Gpu;
  readonly timeMs: number;
  readonly metrics: ReadonlyMap<string, number>;
  readonly custom: ReadonlyMap<string, number>;
  /** Sorted, as texts: namespace/pod/container. */
  readonly occupants: readonly string[];
}

/** Merges the records of batches by the rules of the domain, written a second time and without any care for speed.
 *  @returns records by uuid and instant, in any order */
export function mergedRecords(batches: readonly RecordBatch[]): Map<string, MergedRecord> {
  const parts = batches.flatMap((batch) => recordsIn(batch));
  const merged = Map.groupBy(parts, ({ gpu, timeMs }) => `${gpu.uuid} ${timeMs}`);
  return new Map(
    [...merged].map(([key, ofRecord]) => {
      const host = ofRecord.map(({ gpu }) => gpu.hostname).sort()[0];
      return [key, mergedOf(ofRecord.filter(({ gpu }) => gpu.hostname === host))];
    }),
  );
}

/** The records of one batch as they are in it. */
export function recordsIn(batch: RecordBatch): MergedRecord[] {
  return Array.from(batch.timesMs, (timeMs, record) => {
    const columns = [...batch.columns].flatMap(([name, values]): [string, number][] => {
      const value = values[record] as number;
      return Number.isNaN(value) ? [] : [[name, value]];
    });
    const custom = batch.custom.filter((value) => value.record === record);
    return {
      gpu: batch.gpus[batch.gpuIndexes[record] as number] as Gpu,
      timeMs,
      metrics: new Map(columns),
      custom: new Map(custom.map(({ metric, value }) => [metric, value])),
      occupants: (batch.occupants[batch.occupantsIndexes[record] as number] ?? []).map(textOf),
    };
  });
}

function textOf({ namespace, pod, container }: Workload): string {
  return [namespace, pod, container].join("/");
}

function mergedOf(parts: readonly MergedRecord[]): MergedRecord {
  const [first] = parts as [MergedRecord];
  const custom = greatest(parts.map((part) => part.custom));
  const folded = new Map(
    metrics.flatMap(({ name, fold, max }): [string, number][] => {
      const bySeries = new Map<string, number>();
      for (const series of [...custom.keys()].sort()) {
        const { metric, labels } = parseSeries(series) ?? {};
        if (metric !== name) continue;
        const key = JSON.stringify(Object.entries({ ...labels, vgpu: "", window_size_in_ms: "" }).sort());
        bySeries.set(key, Math.max(bySeries.get(key) ?? -Infinity, custom.get(series) as number));
      }
      const values = [...bySeries.values()];
      if (values.length === 0) return [];
      return [
        [
          name,
          fold === "max"
            ? Math.max(...values)
            : Math.min(
                max,
                values.reduce((a, b) => a + b),
              ),
        ],
      ];
    }),
  );
  return {
    gpu: parts.map(({ gpu }) => gpu).reduce(greaterGpu),
    timeMs: first.timeMs,
    metrics: greatest([...parts.map((part) => part.metrics), folded]),
    custom,
    occupants: wholeOnes([...new Set(parts.flatMap(({ occupants }) => occupants))].sort()),
  };
}

function greatest(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const entries = maps
    .flatMap((map) => [...map])
    .sort(([a, valueA], [b, valueB]) => (a < b ? -1 : a > b ? 1 : valueA - valueB));
  return new Map(entries);
}

/** Leaves out each workload whose parts are all empty or equal to those of another workload. */
function wholeOnes(occupants: readonly string[]): string[] {
  return occupants.filter((text) =>
    occupants.every((other) => {
      const [parts, others] = [text.split("/"), other.split("/")];
      return other === text || !parts.every((part, at) => part === "" || part === others[at]);
    }),
  );
}

function greaterGpu(a: Gpu, b: Gpu): Gpu {
  const greater = (textA: string, textB: string): string => (textA > textB ? textA : textB);
  const properties = [...Object.entries(a.properties), ...Object.entries(b.properties)];
  return {
    ...a,
    gpuId: Math.max(a.gpuId, b.gpuId),
    device: greater(a.device, b.device),
    modelName: greater(a.modelName, b.modelName),
    driverVersion: greater(a.driverVersion, b.driverVersion),
    // of two texts of one name, the greater one comes last and stays
    properties: Object.fromEntries(properties.sort(byNameAndText)),
  };
}

function byNameAndText([nameA, textA]: [string, string], [nameB, textB]: [string, string]): number {
  if (nameA === nameB) return textA < textB ? -1 : 1;
  return nameA < nameB ? -1 : 1;
}
