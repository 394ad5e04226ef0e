import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RejectedInput } from "../../src/domain/batch.ts";
import type { Range } from "../../src/domain/range.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { type CsvReading, usualReading } from "../../src/pipeline/source/csv/csv-reading.ts";
import {
  CsvSource,
  type CsvSourceOptions,
  originalTimes,
  type Playing,
} from "../../src/pipeline/source/csv/csv-source.ts";
import { type FileIds, idOfContent } from "../../src/pipeline/source/file-ids.ts";
import { FileLook } from "../../src/pipeline/source/file/file-look.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";

/** The exporter's header. */
export const exporterHeader =
  "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw";

/** A row in the exporter's layout, with every cell quoted.
 *  @param cells the cells that differ from the usual row; without `labels`, the labels are made from the other cells */
export function exporterRow(cells: Partial<Record<string, string>> = {}): string {
  const row = {
    timestamp: "2025-07-18T20:42:34Z",
    metric: "DCGM_FI_DEV_GPU_UTIL",
    gpu: "0",
    uuid: "GPU-0",
    host: "host-1",
    container: "",
    pod: "",
    namespace: "",
    value: "42",
    ...cells,
  };
  const labels =
    cells["labels"] ??
    `DCGM_FI_DRIVER_VERSION="535.129.03",Hostname="${row.host}",UUID="${row.uuid}",__name__="${row.metric}",gpu="${row.gpu}",instance="${row.host}:9400",job="dcgm"${cells["more"] ?? ""}`;
  const texts = [row.timestamp, row.metric, row.gpu, `nvidia${row.gpu}`, row.uuid, "NVIDIA H100", row.host];
  return [...texts, row.container, row.pod, row.namespace, row.value, labels].map(quotedCell).join(",");
}

function quotedCell(text: string | undefined): string {
  return `"${(text ?? "").replaceAll('"', '""')}"`;
}

/** A folder for the CSV files of a test file. */
export class CsvFolder {
  private readonly path = mkdtempSync(join(tmpdir(), "csv-source-"));

  /** Writes a file, and replaces one with the same name. The file's time is an hour ago, so that its writer counts as finished.
   *  @returns its path */
  write(content: string | Uint8Array, name = "input.csv"): string {
    const path = join(this.path, name);
    rmSync(path, { force: true }); // so that the file's time of creation is new, too
    writeFileSync(path, content);
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(path, hourAgo, hourAgo);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** The options that a test may set: those of a source, and those for reading it. */
export type TestCsvOptions = Partial<CsvSourceOptions & CsvReading>;

/** Opens a file. Unless `options` says otherwise, batches have at most 1,000 rows, and do not grow to the end of an instant. */
export function openCsvSource(path: string, options: TestCsvOptions = {}): Promise<CsvSource> {
  const { fastLane, chunkBytes, rowMaxBytes, sampleBytes } = { ...usualReading, ...options };
  const { batchRows = 1000, batchMaxRows = batchRows, clusterId = "local-cluster", playing = originalTimes } = options;
  const { hostname, namedHostname, clock = systemClock, onWarning = () => undefined } = options;
  const { look = new FileLook(path, clock), chooseId = idOfContent } = options;
  return CsvSource.open(
    { look, chooseId, clusterId, hostname, namedHostname, batchRows, batchMaxRows, playing, clock, onWarning },
    { fastLane, chunkBytes, rowMaxBytes, sampleBytes },
  );
}

/** The id of a file that no earlier version has read. */
export function fileIdOf(path: string): Promise<string> {
  return CsvSource.fileId(new FileLook(path, systemClock), idOfContent);
}

/** Both ids of a file: an earlier version may have read it. */
export async function fileIdsOf(path: string): Promise<FileIds> {
  const { promise, resolve } = Promise.withResolvers<FileIds>();
  await CsvSource.fileId(new FileLook(path, systemClock), (ids) => {
    resolve(ids);
    return idOfContent(ids);
  });
  return promise;
}

/** The option that plays a file with shifted times, which begin at `startedAtMs`. */
export function playedNow(startedAtMs: number, round = 0): Playing {
  return { timestamps: "now", round, begin: () => Promise.resolve({ round, startedAtMs }) };
}

/** Every batch of a range, by default of the whole file. */
export async function batchesOf(source: CsvSource, range?: Partial<Range>): Promise<RangeBatch[]> {
  return Array.fromAsync(source.read({ ...source.whole, ...range }, new AbortController().signal));
}

/** A batch in a form for `toEqual`: in typed arrays, `toEqual` does not accept NaN as equal to NaN. */
export function plain({ range, batch }: RangeBatch): unknown {
  const columns = [...batch.columns].map(([metric, values]) => [metric, [...values].map(String)]);
  const { gpuIndexes, occupantsIndexes, timesMs } = batch;
  return { range, ...batch, columns, rows: [[...gpuIndexes], [...occupantsIndexes], [...timesMs]] };
}

/** One value of one GPU at one instant. */
export interface FlatSample {
  readonly uuid: string;
  readonly timeMs: number;
  readonly metric: string;
  readonly value: number;
}

/** The samples of batches, record by record. */
export function samplesOf(batches: readonly RangeBatch[]): FlatSample[] {
  return batches.flatMap(({ batch }) => {
    const samples: FlatSample[] = [];
    for (let record = 0; record < batch.recordCount; record += 1) {
      const uuid = batch.gpus[batch.gpuIndexes[record] ?? -1]?.uuid ?? "";
      const timeMs = batch.timesMs[record] ?? NaN;
      for (const [metric, values] of batch.columns) {
        const value = values[record] ?? NaN;
        if (!Number.isNaN(value)) samples.push({ uuid, timeMs, metric, value });
      }
      for (const custom of batch.custom) {
        if (custom.record === record) samples.push({ uuid, timeMs, metric: custom.metric, value: custom.value });
      }
    }
    return samples;
  });
}

/** The rejected inputs of batches. */
export function rejectedOf(batches: readonly RangeBatch[]): RejectedInput[] {
  return batches.flatMap(({ batch }) => [...batch.rejected]);
}

/** The sum of one count over the tallies of batches. */
export function tallyOf(batches: readonly RangeBatch[], count: keyof RangeBatch["batch"]["tally"]): number {
  return batches.reduce((sum, { batch }) => sum + batch.tally[count], 0);
}

/** The text of a file with this many rows; another seed gives other GPUs. */
export function manyRows(rows: number, seed = 0): string {
  const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);
  const lines = Array.from({ length: rows }, (_, row) =>
    exporterRow({
      timestamp: new Date(startMs + Math.floor(row / 8) * 1000).toISOString(),
      uuid: `GPU-${seed}-${row % 8}`,
      gpu: String(row % 8),
      value: String(row % 100),
    }),
  );
  return `${[exporterHeader, ...lines].join("\n")}\n`;
}
