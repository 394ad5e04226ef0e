import type { ArchivedFile } from "../../../domain/archive.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { hourMs } from "../../../domain/time-range.ts";
import type { TelemetryQueries } from "../../store/telemetry-queries.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { archivePath, type ArchiveFormat } from "./archive-format.ts";
import { ClusterFile } from "./cluster-file.ts";
import { EarlierRows, type RecordKey } from "./earlier-rows.ts";
import { openParquetRows } from "./parquet-file-rows.ts";
import { hourRecords } from "./hour-records.ts";
import { withEarlier } from "./with-earlier.ts";

export interface HourWriterOptions {
  readonly queries: Pick<TelemetryQueries, "fleet" | "history">;
  readonly files: ArchiveFiles;
  readonly format: ArchiveFormat;
}

/** Rows in memory, of all clusters: a row takes about 500 bytes. */
const pendingMax = 60_000;

type ExistingFile = Pick<ArchivedFile, "clusterId" | "path">;

/** Writes the files of an hour: one for each cluster, its records ordered by uuid, then time. They have what the store has, and what the
 *  files of the hour had before. */
export class HourWriter {
  constructor(private readonly options: HourWriterOptions) {}

  /** @param existing the files that there are of the hour
   *  @param goOn called between parts of the work, and before the files are shown; ends the work by throwing
   *  @throws ArchiveUnavailable, the errors of the queries, and that of `goOn` */
  async write(
    hour: number,
    existing: readonly ExistingFile[],
    goOn: () => Promise<void>,
  ): Promise<readonly ArchivedFile[]> {
    const writing = new HourFiles(hour, this.options);
    try {
      for (const file of existing) await writing.continueFrom(file);
      for await (const records of hourRecords(this.options.queries, { fromMs: hour, toMs: hour + hourMs })) {
        for (const record of records) await writing.add(record);
        await goOn();
      }
      await writing.end();
      await goOn();
      return await writing.show();
    } finally {
      await writing.close();
    }
  }
}

/** The files of an hour while they are written. */
class HourFiles {
  private readonly clusters = new Map<string, ClusterFile>();
  private readonly earlier = new Map<string, EarlierRows>();
  private isShown = false;

  constructor(
    private readonly hour: number,
    private readonly options: Pick<HourWriterOptions, "files" | "format">,
  ) {}

  /** What a file has is written again, as far as the store does not have it. A file that was deleted is not missed. */
  async continueFrom({ clusterId, path }: ExistingFile): Promise<void> {
    const { files } = this.options;
    if ((await files.sizeOf(path)) === undefined) return;
    const { parts } = await openParquetRows(await files.open(path)).catch((cause: unknown) => {
      throw new Error(`${path} in ${files.description} cannot be read, and is not replaced; move it away`, { cause });
    });
    this.earlier.set(clusterId, await EarlierRows.open(parts()));
  }

  async add(record: StoredRecord): Promise<void> {
    const { format } = this.options;
    const key = { uuid: record.gpu.uuid, timeMs: record.timeMs };
    let merged = record;
    for (const [cluster, rows] of this.earlier) {
      await this.addEarlier(cluster, rows, key);
      // a record is in the file of one cluster, which may be another one than before
      const found = await rows.takeAt(key);
      if (found !== undefined) merged = withEarlier(merged, format.recordOf(found));
    }
    await this.addRow(merged.gpu.clusterId, format.rowOf(merged));
  }

  async end(): Promise<void> {
    for (const [cluster, rows] of this.earlier) {
      await this.addEarlier(cluster, rows, undefined);
      // a file whose records are all of other clusters now is written without any: they would be twice in the archive
      await this.fileOf(cluster);
    }
    for (const file of this.clusters.values()) await file.end();
  }

  async show(): Promise<ArchivedFile[]> {
    const shown: ArchivedFile[] = [];
    for (const file of this.clusters.values()) shown.push(await file.show());
    this.isShown = true;
    return shown;
  }

  async close(): Promise<void> {
    for (const rows of this.earlier.values()) await rows.close();
    if (!this.isShown) for (const file of this.clusters.values()) await file.discard();
  }

  private async addEarlier(cluster: string, rows: EarlierRows, key: RecordKey | undefined) {
    for (let row = await rows.nextBefore(key); row !== undefined; row = await rows.nextBefore(key)) {
      await this.addRow(cluster, row);
    }
  }

  private async addRow(clusterId: string, row: Readonly<Record<string, unknown>>): Promise<void> {
    await (await this.fileOf(clusterId)).add(row);
    const all = [...this.clusters.values()];
    if (this.clusters.size < 2 || all.reduce((sum, { pending }) => sum + pending, 0) < pendingMax) return;
    await all.reduce((fullest, each) => (each.pending > fullest.pending ? each : fullest)).writeGroup();
  }

  private async fileOf(clusterId: string): Promise<ClusterFile> {
    let file = this.clusters.get(clusterId);
    if (file !== undefined) return file;
    const path = archivePath(this.hour, clusterId);
    const { files, format } = this.options;
    file = new ClusterFile({ clusterId, path }, await format.begin(), await files.create(path));
    this.clusters.set(clusterId, file);
    return file;
  }
}
