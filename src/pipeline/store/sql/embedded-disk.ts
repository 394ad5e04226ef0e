import type { SqlClient } from "../../../db/client.ts";
import { type DatabaseFiles, measureDatabaseFiles } from "../../../db/file-sizes.ts";
import { checkpoint, tableBytes, tablesToVacuum, vacuum } from "../../../db/sql/vacuum.ts";
import { DataDirUnusable, StoreUnavailable } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { DiskUse, StoreDisk, TrimmedHistory } from "../store-disk.ts";
import { type DiskMarks, diskMarks, leastGibibytes, maxBytesOf } from "./disk-marks.ts";
import { deleteOldest, historyBytes, rewriteSparse } from "./oldest-history.ts";
import { shortenFiles } from "./shorter-files.ts";

export interface EmbeddedDiskOptions {
  readonly client: SqlClient;
  /** The same database, for statements that take long and are not urgent: VACUUM reads a table's indexes as a whole. */
  readonly slowClient: SqlClient;
  /** The folder of the database. */
  readonly databaseDir: string;
  /** DATA_DIR, for messages. */
  readonly dataDir: string;
  /** DATA_MAX_GIB; undefined if it is not set. */
  readonly maxGibibytes?: number | undefined;
  readonly clock: Clock;
}

const mebibyte = 1024 ** 2;
const logSegmentBytes = 16 * mebibyte;
/** Three segments of the log. After a checkpoint one or two remain. */
const logMaxBytes = 3 * logSegmentBytes;
/** While little room is left: what remains after a checkpoint. */
const logShortBytes = 2 * logSegmentBytes;
/** Faster than the database writes. It bounds what can be written unmeasured. */
const writtenBytesPerMs = (100 * mebibyte) / 1000;
const measureMinMs = 100;
const measureMaxMs = 2000;
/** Files that grow by less than this are not taken to grow. */
const growthBytes = 4 * mebibyte;

/** The files of a PGlite database. */
export class EmbeddedDisk implements StoreDisk {
  private files: DatabaseFiles;
  private measuredAtMs = -Infinity;
  private tables: ReadonlyMap<string, number> = new Map();
  private checkpointing: Promise<void> | undefined;
  private readonly marks: DiskMarks | undefined;
  /** The size of the files after the last deletion. */
  private trimmedTo = 0;
  /** Files that cannot be shortened until they have more free space than this. */
  private readonly shortenedInVain = new Map<string, number>();

  private constructor(
    private readonly options: EmbeddedDiskOptions,
    files: DatabaseFiles,
  ) {
    this.files = files;
    const maxBytes = maxBytesOf(options.maxGibibytes, inUse(files));
    this.marks = maxBytes === undefined ? undefined : diskMarks(maxBytes);
  }

  /** @throws DataDirUnusable if the files cannot be made small enough by deleting history */
  static async open(options: EmbeddedDiskOptions): Promise<EmbeddedDisk> {
    const { client, databaseDir, dataDir, maxGibibytes } = options;
    const disk = new EmbeddedDisk(options, measureDatabaseFiles(databaseDir));
    // after a crash, and in the folders of earlier versions
    if (disk.files.logBytes > logMaxBytes) await disk.shortenLog();
    const remaining = inUse(disk.files) - (await historyBytes(client, databaseDir));
    if (disk.marks !== undefined && remaining > disk.marks.inUseLow) {
      throw new DataDirUnusable(
        `DATA_MAX_GIB=${maxGibibytes} is too small for DATA_DIR ${dataDir}: its database takes ${mebibytes(remaining)} MiB without any ` +
          `history, and needs room to work. Set DATA_MAX_GIB to ${leastGibibytes(remaining)} or more, or to 0 for no limit`,
      );
    }
    return disk;
  }

  use(): DiskUse {
    return { ...this.files, maxBytes: this.marks?.maxBytes, tables: this.tables };
  }

  async makeRoom(): Promise<void> {
    if (this.isMeasuredLately()) return this.checkRoom();
    this.measure();
    if (this.files.logBytes > logMaxBytes) await this.shortenLog();
    this.checkRoom();
  }

  async tidy(signal: AbortSignal): Promise<TrimmedHistory | undefined> {
    const { client, slowClient } = this.options;
    for (const table of await tablesToVacuum(client)) {
      if (signal.aborted) return undefined;
      await this.keepLogShort();
      await vacuum(slowClient, table);
    }
    await this.keepLogShort();
    this.tables = await tableBytes(client);
    if (this.marks === undefined || !this.hasToTrim(this.marks)) return undefined;
    // the figures of reusable space are those of the last checkpoint
    await this.shortenLog();
    return this.hasToTrim(this.marks) ? this.trim(this.marks, signal) : undefined;
  }

  private hasToTrim({ inUseHigh, filesHigh, filesFull }: DiskMarks): boolean {
    const bytes = lasting(this.files);
    const isGrowing = bytes > filesHigh && bytes > this.trimmedTo + growthBytes;
    return inUse(this.files) > inUseHigh || isGrowing || bytes > filesFull;
  }

  private async trim(marks: DiskMarks, signal: AbortSignal): Promise<TrimmedHistory | undefined> {
    const { client, slowClient, databaseDir } = this.options;
    const { maxBytes, inUseHigh, inUseLow } = marks;
    await this.shorten(marks, signal);
    if (signal.aborted || !this.hasToTrim(marks)) return undefined;
    const deleted = await deleteOldest(client, {
      databaseDir,
      slowClient,
      maxBytes,
      bytes: Math.max(inUse(this.files) - inUseLow, inUseHigh - inUseLow),
      afterEach: () => this.keepLogShort(),
      signal,
    });
    await this.shortenLog();
    await this.shorten(marks, signal);
    const isOver = (): boolean => lasting(this.files) > marks.filesHigh;
    if (!signal.aborted) await rewriteSparse(slowClient, { databaseDir, maxBytes, isOver, bytes: this.files.bytes });
    await this.shortenLog();
    this.trimmedTo = lasting(this.files);
    return deleted;
  }

  /** Gives free space within the files back, if they are too large. */
  private async shorten({ filesHigh }: DiskMarks, signal: AbortSignal): Promise<void> {
    const { client, slowClient, databaseDir } = this.options;
    await shortenFiles(client, {
      slowClient,
      databaseDir,
      isOver: () => lasting(this.files) > filesHigh,
      inVain: this.shortenedInVain,
      afterEach: () => this.keepLogShort(logShortBytes),
      checkpoint: () => this.shortenLog(),
      signal,
    });
    this.trimmedTo = Math.min(this.trimmedTo, lasting(this.files));
  }

  private isMeasuredLately(): boolean {
    const { bytes, logBytes } = this.files;
    const room = Math.min((this.marks?.filesFull ?? Infinity) - bytes, logMaxBytes - logBytes);
    const dueMs = Math.min(Math.max(room / writtenBytesPerMs, measureMinMs), measureMaxMs);
    return Math.abs(this.options.clock.nowMs() - this.measuredAtMs) < dueMs;
  }

  private measure(): void {
    this.files = measureDatabaseFiles(this.options.databaseDir);
    this.measuredAtMs = this.options.clock.nowMs();
  }

  private async keepLogShort(maxBytes = logMaxBytes): Promise<void> {
    this.measure();
    if (this.files.logBytes > maxBytes) await this.shortenLog();
  }

  /** Several that ask for it at a time share one checkpoint. */
  private async shortenLog(): Promise<void> {
    this.checkpointing ??= checkpoint(this.options.client).finally(() => (this.checkpointing = undefined));
    await this.checkpointing;
    this.measure();
  }

  private checkRoom(): void {
    const bytes = lasting(this.files);
    if (this.marks === undefined || bytes <= this.marks.filesFull) return;
    const max = mebibytes(this.marks.maxBytes);
    throw new StoreUnavailable(
      `DATA_DIR ${this.options.dataDir} has no room: its database takes ${mebibytes(bytes)} of at most ${max} MiB (DATA_MAX_GIB); ` +
        "the oldest history is being deleted. If this lasts, raise DATA_MAX_GIB",
    );
  }
}

/** Temporary files are gone soon: no history is deleted for them. */
function lasting({ bytes, temporaryBytes }: DatabaseFiles): number {
  return bytes - temporaryBytes;
}

/** The log counts as one segment: how many it has at the moment must not decide what is deleted. */
function inUse(files: DatabaseFiles): number {
  return lasting(files) - files.logBytes + logSegmentBytes - files.reusableBytes;
}

function mebibytes(bytes: number): string {
  return Math.ceil(bytes / mebibyte).toString();
}
