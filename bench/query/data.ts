import type { RecordBatch } from "../../src/domain/batch.ts";
import { batchesOf } from "../ingest/shapes.ts";

export const stepMs = 15_000;
export const firstMs = Date.UTC(2025, 6, 18);

/** A generated fleet, which the questions are about. */
export interface Fleet {
  readonly gpus: number;
  readonly instants: number;
  readonly metrics: number;
  /** One batch per instant. */
  readonly batches: readonly RecordBatch[];
}

/** Generates a fleet with one record of each GPU every 15 s. */
export function fleetOf(gpus: number, instants: number, metrics: number): Fleet {
  const indexes = Array.from({ length: metrics }, (_, index) => index);
  const shape = { name: "scrape", metricsOf: () => indexes, gpusPerBatch: gpus, recordsPerBatch: gpus };
  return { gpus, instants, metrics, batches: batchesOf(shape, instants) };
}

/** A series: all values of one metric of one GPU, oldest first. */
interface Series {
  readonly name: string;
  readonly uuid: string;
  readonly hostname: string;
  readonly values: number[];
  readonly timestamps: number[];
}

/** Every series, metric by metric. */
function* seriesOf({ batches, gpus }: Fleet): Generator<Series> {
  const [first] = batches;
  for (const name of first?.columns.keys() ?? []) {
    for (let gpu = 0; gpu < gpus; gpu += 1) {
      const { uuid, hostname } = first?.gpus[gpu] ?? { uuid: "", hostname: "" };
      const values = batches.map(({ columns }) => columns.get(name)?.[gpu] ?? NaN);
      yield { name, uuid, hostname, values, timestamps: batches.map(({ timesMs }) => timesMs[gpu] ?? NaN) };
    }
  }
}

/** The series as VictoriaMetrics' JSON lines, up to 1,000 series at a time. */
export function* jsonLinesOf(fleet: Fleet): Generator<string> {
  let lines: string[] = [];
  for (const { name, uuid, hostname, values, timestamps } of seriesOf(fleet)) {
    lines.push(JSON.stringify({ metric: { __name__: name, uuid, hostname }, values, timestamps }));
    if (lines.length < 1000) continue;
    yield lines.join("\n");
    lines = [];
  }
  if (lines.length > 0) yield lines.join("\n");
}

/** The series as OpenMetrics lines, one series at a time. */
export function* openMetricsOf(fleet: Fleet): Generator<string> {
  for (const { name, uuid, hostname, values, timestamps } of seriesOf(fleet)) {
    const labels = `${name}{uuid="${uuid}",hostname="${hostname}"}`;
    yield values.map((value, at) => `${labels} ${value} ${(timestamps[at] ?? NaN) / 1000}\n`).join("");
  }
}
