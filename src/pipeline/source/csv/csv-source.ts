import type { Clock } from "../../../kit/clock.ts";
import type { Position } from "../../../domain/range.ts";
import { BatchReader } from "./batch-reader.ts";
import { FastTemplates } from "./fast-templates.ts";
import { FileWindow } from "./file-window.ts";
import { firstTimeMs } from "./first-time.ts";
import { FileGuard } from "./file-guard.ts";
import { GpuCache } from "./gpu-cache.ts";
import { type OpenedCsv, openCsv, openForReading } from "./open-csv.ts";
import { defaultRecordMaxBytes } from "./record-splitter.ts";
import { RowEnds } from "./row-ends.ts";
import type { ReadRange, Source, SourceBatch, SourceCut } from "../source.ts";

export interface CsvSourceOptions {
  readonly path: string;
  readonly clusterId: string;
  /** Input rows a batch, >= 1. */
  readonly batchSize: number;
  /** Where the first column is the timestamp, a batch may grow to so many rows to end with an instant; `batchSize` unless
   *  told. */
  readonly batchMaxRows?: number;
  /** `now` shifts the whole file so that its first row is now, and plays it at the pace it was recorded at. */
  readonly timestamps: "original" | "now";
  readonly clock: Clock;
  /** How often the file was played before (LOOP_MODE). */
  readonly round?: number;
  /** False leaves every row to csv-parse; what comes out is the same. */
  readonly fastLane?: boolean;
  /** Bytes a read, 1 MiB unless told. */
  readonly chunkBytes?: number;
  /** A longer row is rejected; 1 MiB unless told. */
  readonly recordMaxBytes?: number;
  /** When the playing of a round began, milliseconds since the epoch, where several processes play it together; absent:
   *  now. Asked only where the times are shifted. */
  readonly roundStart?: (fileId: string, round: number) => Promise<number>;
  /** Told once, when the file has grown while it is read. */
  readonly onGrown?: (message: string) => void;
}

/** Large enough that reads cost nothing beside parsing, small enough not to hold up the event loop: a chunk takes
 *  about 2 ms on the fast lane and 10 ms on the slow one. */
const defaultChunkBytes = 1024 * 1024;
/** Timers end at 2^31 ms; a longer wait takes several. */
const sleepMaxMs = 60 * 60 * 1000;

/** A CSV file of GPU telemetry, in the long form of dcgm-exporter or a wide form; in bounded memory whatever its
 *  size. A row that cannot be used is rejected with its place and reason, and costs no other row. */
export class CsvSource implements Source {
  readonly sourceId: string;
  readonly description: string;
  readonly start: Position;
  readonly endOffset: number;
  /** Columns of the header that nothing reads. */
  readonly ignoredColumns: readonly string[];
  private readonly gpus: GpuCache;
  private readonly templates: FastTemplates | undefined;
  private readonly guard: FileGuard;

  /** Looks at the file: what is appended afterwards is not read.
   *  @throws UnusableSource when it cannot be read, is empty, or its header fits no layout */
  static async open(options: CsvSourceOptions): Promise<CsvSource> {
    const opened = await openCsv(options.path, options.chunkBytes ?? defaultChunkBytes);
    const { roundStart, round = 0, clock } = options;
    const isShared = options.timestamps === "now" && roundStart !== undefined;
    const nowMs = isShared ? await roundStart(fileIdOf(opened.identity), round) : clock.nowMs();
    const shiftMs = options.timestamps === "now" ? await shiftTo(nowMs, options, opened) : 0;
    return new CsvSource(options, opened, { nowMs, shiftMs });
  }

  /** What the ids of a file's sources begin with, whatever the round. @throws UnusableSource */
  static async fileId(path: string): Promise<string> {
    return fileIdOf((await openCsv(path, defaultChunkBytes)).identity);
  }

  private constructor(
    private readonly options: CsvSourceOptions,
    private readonly opened: OpenedCsv,
    private readonly playing: { readonly nowMs: number; readonly shiftMs: number },
  ) {
    const { path, timestamps, clusterId, round = 0, fastLane = true } = options;
    const ofRound = round > 0 ? `:round:${round}` : "";
    const mode = timestamps === "now" ? `:now:${playing.nowMs}:${round}` : ofRound;
    this.sourceId = `${fileIdOf(opened.identity)}${mode}`;
    this.description = path;
    this.start = opened.start;
    this.endOffset = opened.endOffset;
    this.ignoredColumns = opened.layout.ignoredColumns;
    this.gpus = new GpuCache(clusterId);
    this.templates = fastLane ? new FastTemplates() : undefined;
    this.guard = new FileGuard({
      path,
      inode: opened.inode,
      sizeBytes: opened.endOffset,
      fingerprint: opened.fingerprint,
      onGrown: options.onGrown ?? (() => undefined),
    });
  }

  get fileBytes(): number {
    return this.endOffset;
  }

  /** A row that starts before `toOffset` belongs to the range; `from` and `toOffset` are places between rows, such
   *  as the ends of batches. */
  async *read(range: ReadRange, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const toOffset = Math.min(range.toOffset ?? this.endOffset, this.endOffset);
    const file = await openForReading(this.options.path);
    try {
      await this.guard.check();
      const window = this.windowOn(file, range.from.offset);
      const reader = this.readerOf(window, range.from, toOffset);
      while (!signal.aborted) {
        const state = reader.read();
        if (state === "needs_bytes") await window.advance(reader.position.offset);
        else if (reader.hasBatch) {
          const batch = this.batchOf(reader);
          await this.guard.check();
          if (!(await this.due(batch, signal))) return;
          yield batch;
        }
        if (state === "ended") return;
      }
    } finally {
      await file.close();
    }
  }

  async *cut(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<SourceCut> {
    const file = await openForReading(this.options.path);
    try {
      const window = this.windowOn(file, from.offset);
      const { recordMaxBytes = defaultRecordMaxBytes, batchSize, batchMaxRows = batchSize } = this.options;
      const { layout } = this.opened;
      const keepsInstants = layout.timestamp === 0 && batchMaxRows > batchSize;
      const ends = new RowEnds({ window, from, columnCount: layout.header.length, recordMaxBytes, keepsInstants });
      for (let start = from; start.offset < this.endOffset && !signal.aborted;) {
        const to = await ends.next(start.offset + Math.max(1, rangeBytes), signal);
        await this.guard.check(); // the places are of this content
        if (signal.aborted) return;
        yield { from: start, to };
        start = to;
      }
    } finally {
      await file.close();
    }
  }

  private windowOn(file: Awaited<ReturnType<typeof openForReading>>, fromOffset: number): FileWindow {
    const { path, chunkBytes = defaultChunkBytes } = this.options;
    return new FileWindow({ file, path, fromOffset, endOffset: this.endOffset, chunkBytes });
  }

  private readerOf(window: FileWindow, from: Position, toOffset: number): BatchReader {
    const { gpus, templates } = this;
    const { layout } = this.opened;
    const { shiftMs } = this.playing;
    const { batchSize, batchMaxRows = batchSize, recordMaxBytes = defaultRecordMaxBytes } = this.options;
    const rows = { batchSize, batchMaxRows, recordMaxBytes, from, toOffset };
    return new BatchReader({ window, layout, gpus, templates, shiftMs, ...rows });
  }

  private batchOf(reader: BatchReader): SourceBatch {
    const { from, to, batch } = reader.takeBatch();
    return { range: { sourceId: this.sourceId, from, to }, batch };
  }

  /** Waits until the batch's latest instant has come. @returns false when the signal aborted before */
  private async due({ batch }: SourceBatch, signal: AbortSignal): Promise<boolean> {
    const { clock, timestamps } = this.options;
    if (timestamps === "original") return !signal.aborted;
    const latestMs = batch.timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), -Infinity);
    while (!signal.aborted && latestMs > clock.nowMs()) {
      await clock.sleep(Math.min(latestMs - clock.nowMs(), sleepMaxMs), signal);
    }
    return !signal.aborted;
  }
}

function fileIdOf(identity: string): string {
  return `csv:${identity}`;
}

async function shiftTo(nowMs: number, options: CsvSourceOptions, opened: OpenedCsv): Promise<number> {
  const file = await openForReading(options.path);
  try {
    const { path, chunkBytes = defaultChunkBytes, recordMaxBytes = defaultRecordMaxBytes } = options;
    const { start, endOffset, layout } = opened;
    const window = new FileWindow({ file, path, fromOffset: start.offset, endOffset, chunkBytes });
    const timeMs = await firstTimeMs(window, start, { layout, recordMaxBytes });
    return timeMs === undefined ? 0 : nowMs - timeMs;
  } finally {
    await file.close();
  }
}
