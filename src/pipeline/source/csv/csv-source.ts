import { quoted } from "../../../domain/cut-text.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { Position, Range } from "../../../domain/range.ts";
import { roundSourceId } from "../../../domain/round-source.ts";
import type { BegunRound } from "./etcd-rounds.ts";
import { BatchReader } from "./batch-reader.ts";
import { type CsvReading, usualReading } from "./csv-reading.ts";
import { translationOf } from "./csv-form.ts";
import { FastTemplates } from "./fast-templates.ts";
import { FileWindow } from "./file-window.ts";
import { firstTimeIn } from "./first-time.ts";
import { FileGuard } from "../file/file-guard.ts";
import type { OpenContent } from "../file/stored-bytes.ts";
import type { ChooseId } from "../file-ids.ts";
import { fileIds, type FileLook } from "../file/file-look.ts";
import { GpuCache } from "../labels/gpu-cache.ts";
import { OwnMetrics } from "../own-metrics.ts";
import { ownColumnsOf } from "./own-columns.ts";
import { LastRow } from "./last-row.ts";
import { LineNumbers, type RangeLines } from "./line-numbers.ts";
import { type OpenedCsv, openCsv } from "./open-csv.ts";
import { otherTableIn } from "./other-table.ts";
import { otherTableAt } from "./rejections.ts";
import { RowEnds } from "./row-ends.ts";
import { withHost } from "./smi-host.ts";
import { spreadIn } from "./scrape-spread.ts";
import type { RangeBatch, ReplayableSource } from "../source.ts";

export interface CsvSourceOptions {
  readonly look: Pick<FileLook, "see">;
  /** Detects that the file changes while it is read; absent: by its status. */
  readonly guard?: Pick<FileGuard, "check">;
  readonly chooseId: ChooseId;
  readonly clusterId: string;
  /** The host of GPUs in a table of nvidia-smi, which does not name it; undefined if such a table cannot be read. */
  readonly hostname: string | undefined;
  /** The host that SOURCE_HOSTNAME names: that of GPUs in any table without a host's column. */
  readonly namedHostname: string | undefined;
  /** A batch ends after this many rows, >= 1. */
  readonly batchRows: number;
  /** If the first column is the timestamp, a batch may grow to this many rows to end with an instant. */
  readonly batchMaxRows: number;
  readonly playing: Playing;
  /** True if no program writes to the file any more: its last row is whole. Absent: false. */
  readonly isComplete?: boolean;
  readonly clock: Clock;
  /** Called at most once for each cause: the file has grown, it ends within a row, which waits, or a column has cells that are
   *  not read. */
  readonly onWarning: (message: string) => void;
}

/** How a file is played: with its own times, or with shifted times. Shifted times begin at the start of the round, and the
 *  file plays at the pace of its recording. `round` is the number of earlier rounds (LOOP_MODE). */
export type Playing =
  | { readonly timestamps: "original"; readonly round: number }
  | {
      readonly timestamps: "now";
      readonly round: number;
      /** Begins the round. Processes that play the file together get the same round and the same time: if the others play a later round
       *  already, the source is that round. */
      readonly begin: (fileId: string, round: number) => Promise<BegunRound>;
    };

/** A file's own times, played once. */
export const originalTimes: Playing = { timestamps: "original", round: 0 };

/** The end of a range is looked for in this share of a chunk: 64 KiB, in which 130 rows of the exporter begin. */
const searchShare = 16;

/** What the ids of CSV files begin with. */
const idKind = "csv";

/** The longest single sleep. A timer runs for at most 2^31 ms, so a longer wait is divided into several sleeps. */
const sleepMaxMs = 60 * 60 * 1000;

/** A CSV file of GPU telemetry, in the long form of dcgm-exporter or in a wide form. A file of any size is read in bounded
 *  memory. A row that cannot be used is rejected with its place and reason, and affects no other row. */
export class CsvSource implements ReplayableSource {
  readonly sourceId: string;
  readonly description: string;
  readonly whole: Range;
  private readonly unread: Set<string>;
  private readonly ownMetrics = new OwnMetrics();
  private readonly gpus: GpuCache;
  private readonly templates: FastTemplates | undefined;
  private readonly guard: Pick<FileGuard, "check">;
  private readonly lastRow: LastRow;
  private readonly lines: LineNumbers;

  /** Opens a file as it is now: bytes that are appended later are not read. The times of a file whose first rows have no
   *  valid time are not shifted.
   *  @throws UnusableSource when the file cannot be read or is empty, or when its header fits no layout; and the errors of
   *          `begin` */
  static async open(options: CsvSourceOptions, reading = usualReading): Promise<CsvSource> {
    const { look, playing, namedHostname } = options;
    const seen = await look.see();
    const opening = { chunkBytes: reading.chunkBytes, needsHost: namedHostname === undefined };
    const opened = withHost(options, await openCsv(seen, opening));
    const otherTable = await otherTableIn(opened, reading);
    if (otherTable !== undefined) options.onWarning(`${seen.path}: ${otherTableAt(otherTable.line)}`);
    const found = { reading, opened, otherTable };
    const fileId = await options.chooseId(fileIds(idKind, seen));
    const spreadMs = keepsInstants(options, opened) ? await spreadIn(opened, reading.sampleBytes) : 0;
    if (playing.timestamps === "original") {
      const sourceId = roundSourceId(fileId, playing.round);
      return new CsvSource(options, { ...found, sourceId, shiftMs: 0, spreadMs });
    }
    const { round, startedAtMs } = await playing.begin(fileId, playing.round);
    const sourceId = roundSourceId(fileId, round, startedAtMs);
    const firstMs = await firstTimeIn(opened, reading);
    const shiftMs = firstMs === undefined ? 0 : startedAtMs - firstMs;
    return new CsvSource(options, { ...found, sourceId, shiftMs, spreadMs });
  }

  /** The prefix of a file's source ids, the same in every round. @throws UnusableSource */
  static async fileId(look: Pick<FileLook, "see">, chooseId: ChooseId): Promise<string> {
    return chooseId(fileIds(idKind, await look.see()));
  }

  private constructor(
    private readonly options: CsvSourceOptions,
    private readonly file: PlayedFile,
  ) {
    const { clusterId, clock, onWarning } = options;
    const { opened, sourceId, reading } = file;
    const { start, form, seen } = opened;
    const { path, content, contentBytes: endOffset } = seen;
    this.sourceId = sourceId;
    this.description = path;
    this.whole = { from: start, to: { offset: endOffset, line: 0 } };
    this.unread = new Set();
    for (const name of opened.layout.ignoredColumns) this.addUnread(name);
    this.gpus = new GpuCache(clusterId);
    this.templates = reading.fastLane ? new FastTemplates() : undefined;
    this.guard = options.guard ?? new FileGuard({ seen, onGrown: onWarning });
    this.lines = new LineNumbers({ path, content, start, endOffset, chunkBytes: reading.chunkBytes, form });
    this.lastRow = new LastRow({ path, guard: this.guard, clock, onUnfinished: onWarning });
  }

  get unreadColumns(): readonly string[] {
    return [...this.unread];
  }

  get ownColumns(): readonly string[] {
    return ownColumnsOf(this.file.opened.layout, this.ownMetrics.all);
  }

  /** A row belongs to the range in which it starts. A range must begin and end between rows, such as at the end of a
   *  batch. A row in which the file ends, without a line end or with an open quote, waits until it is whole; all rows before
   *  it are yielded first. */
  async *read(range: Range, signal: AbortSignal): AsyncIterable<RangeBatch> {
    const file = await this.file.opened.seen.content.open();
    try {
      await this.guard.check();
      const window = this.windowOn(file, range.from.offset);
      const lines = this.lines.ofRange(range.from);
      const reader = this.readerOf(window, { from: lines.from, to: range.to });
      while (!signal.aborted) {
        const state = reader.read();
        if (state === "needs_bytes") await window.advance(reader.position.offset);
        else if (reader.hasBatch) {
          const batch = await this.batchOf(reader, lines, signal);
          if (batch === undefined) return;
          await this.guard.check();
          if (!(await this.due(batch, signal))) return;
          yield batch;
        }
        if (state === "ended") return;
        if (state === "unfinished_row" && (await lines.count(signal))) {
          await this.finishLastRow(window, { reader, line: lines.placed(reader.position).line }, signal);
        }
      }
    } finally {
      await file.close();
    }
  }

  async *planRanges(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<Range> {
    const file = await this.file.opened.seen.content.open();
    try {
      const ends = this.rowEndsIn(this.windowOn(file, from.offset), from);
      for (let start = from; start.offset < this.whole.to.offset && !signal.aborted;) {
        const to = await ends.next(start.offset + Math.max(1, rangeBytes), signal);
        await this.guard.check(); // the row ends are valid only for this content
        if (signal.aborted) return;
        yield { from: start, to };
        start = to;
      }
    } finally {
      await file.close();
    }
  }

  private async finishLastRow(
    window: FileWindow,
    { reader, line }: { readonly reader: BatchReader; readonly line: number },
    signal: AbortSignal,
  ): Promise<void> {
    // a packed file has its end, or it would have been refused
    if (this.options.isComplete === true || this.file.opened.seen.content.packing !== undefined)
      return reader.endFile();
    const row = { line, fileBytes: window.endOffset };
    const fileBytes = await this.lastRow.grownTo(row, signal);
    if (fileBytes === undefined) reader.endFile();
    else window.extendTo(fileBytes);
  }

  private windowOn(file: OpenContent, fromOffset: number): FileWindow {
    const { opened, reading } = this.file;
    const { path } = opened.seen;
    const translate = translationOf(opened.form);
    const { chunkBytes } = reading;
    return new FileWindow({ file, path, fromOffset, endOffset: this.whole.to.offset, chunkBytes, translate });
  }

  private rowEndsIn(window: FileWindow, from: Position): RowEnds {
    const { opened, spreadMs, reading } = this.file;
    return new RowEnds({
      window,
      from,
      fileEnd: this.whole.to.offset,
      searchBytes: opened.seen.content.packing === undefined ? Math.ceil(reading.chunkBytes / searchShare) : Infinity,
      columnCount: opened.layout.header.length,
      rowMaxBytes: reading.rowMaxBytes,
      keepsInstants: keepsInstants(this.options, opened),
      spreadMs,
    });
  }

  private readerOf(window: FileWindow, { from, to }: Range): BatchReader {
    const { gpus, templates } = this;
    const { batchRows, batchMaxRows } = this.options;
    const { opened, reading, shiftMs, spreadMs, otherTable } = this.file;
    return new BatchReader({
      window,
      layout: opened.layout,
      form: opened.form,
      gpus,
      templates,
      shiftMs,
      spreadMs,
      otherTable,
      batchRows,
      batchMaxRows,
      rowMaxBytes: reading.rowMaxBytes,
      from,
      toOffset: Math.min(to.offset, this.whole.to.offset),
      onUnread: (name) => this.addUnread(name),
    });
  }

  private addUnread(name: string): void {
    if (this.unread.has(name)) return;
    this.unread.add(name);
    this.options.onWarning(`${this.description}: the column ${quoted(name)} has cells that are not read`);
  }

  /** @returns undefined if the signal aborts */
  private async batchOf(reader: BatchReader, lines: RangeLines, signal: AbortSignal): Promise<RangeBatch | undefined> {
    const { from, to, batch } = reader.takeBatch();
    this.ownMetrics.add(batch);
    if (batch.rejected.length > 0 && !(await lines.count(signal))) return undefined;
    // the last row may end in bytes that were appended after the source was opened
    const offset = Math.min(to.offset, this.whole.to.offset);
    const range = { sourceId: this.sourceId, from: lines.placed(from), to: { ...lines.placed(to), offset } };
    return { range, batch: { ...batch, rejected: lines.rejected(batch.rejected) } };
  }

  /** Waits until the batch's latest instant has come. With original times, there is no wait.
   *  @returns false if the signal has aborted */
  private async due({ batch }: RangeBatch, signal: AbortSignal): Promise<boolean> {
    const { clock, playing } = this.options;
    if (playing.timestamps === "original") return !signal.aborted;
    const latestMs = batch.timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), -Infinity);
    while (!signal.aborted && latestMs > clock.nowMs()) {
      await clock.sleep(Math.min(latestMs - clock.nowMs(), sleepMaxMs), signal);
    }
    return !signal.aborted;
  }
}

/** An opened file, and how it is played. */
interface PlayedFile {
  readonly reading: CsvReading;
  readonly opened: OpenedCsv;
  readonly otherTable: Position | undefined;
  readonly sourceId: string;
  /** Added to every time. */
  readonly shiftMs: number;
  /** See `scrapeSpreadMs`. */
  readonly spreadMs: number;
}

/** True if the rows of an instant stay in one batch. */
function keepsInstants({ batchRows, batchMaxRows }: CsvSourceOptions, { layout }: OpenedCsv): boolean {
  return layout.timestamp === 0 && batchMaxRows > batchRows;
}
