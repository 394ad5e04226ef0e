import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { Position } from "../../../domain/range.ts";
import type { CsvForm } from "./csv-form.ts";
import { FastLane } from "./fast-lane.ts";
import type { FastTemplates } from "./fast-templates.ts";
import type { FileWindow } from "./file-window.ts";
import type { GpuCache } from "../labels/gpu-cache.ts";
import { InstantEnds, instantMaxBytes } from "./instant-ends.ts";
import { isExporterLayout, type Layout } from "./layout.ts";
import { type RawRow, RowSplitter } from "./row-splitter.ts";
import { malformedQuotes, Rejections, type RowPlace, rowTooLarge } from "./rejections.ts";
import { RowReader } from "./row-reader.ts";
import { SlowLane } from "./slow-lane.ts";

/** A batch also ends after this many bytes: very long rows or many blank lines would otherwise make it too large. */
const batchMaxBytes = 16 * 1024 * 1024;

/** The range to read, and the settings of the reader. */
export interface BatchReaderOptions {
  readonly window: FileWindow;
  readonly layout: Layout;
  readonly form: CsvForm;
  readonly gpus: GpuCache;
  readonly batchRows: number;
  /** A batch may grow to this many rows, so that it ends where its last instant ends: the rows of one record may be far apart
   *  in the file. */
  readonly batchMaxRows: number;
  /** See `scrapeSpreadMs`. */
  readonly spreadMs: number;
  readonly shiftMs: number;
  /** The rows that the fast lane has learnt. If undefined, csv-parse reads every row, with the same result. */
  readonly templates: FastTemplates | undefined;
  /** A longer row is rejected. */
  readonly rowMaxBytes: number;
  /** Called when a cell of a custom column is neither a number nor missing. */
  readonly onUnread: (columnName: string) => void;
  /** Where another table begins, whose rows are rejected; undefined if there is none. */
  readonly otherTable: Position | undefined;
  readonly from: Position;
  /** Rows that start before this offset are read. */
  readonly toOffset: number;
}

/** Why a read stopped: the batch is full, more bytes are needed, the file ends in a row that its writer may not have finished,
 *  or the range has ended. */
export type ReadState = "batch_full" | "needs_bytes" | "unfinished_row" | "ended";

/** Reads rows from a window into batches, and never waits.
 *
 *  The end of a batch depends on the rows alone, never on the size of the chunks or on the lane. A batch ends after
 *  `batchRows` rows or 16 MiB. If the first column is the timestamp, and the next rows are of the same instant, or of the same scrape,
 *  whose instants are spread over `spreadMs`, the batch continues to the last of these rows, up to `batchMaxRows` rows or 64 MiB. */
export class BatchReader {
  private readonly builder: BatchBuilder;
  private readonly rejections: Rejections;
  private readonly splitter: RowSplitter;
  private readonly rows: RowReader;
  private readonly slow: SlowLane;
  private readonly fast: FastLane | undefined;
  /** Where another table begins, whose rows the fast lane does not know. */
  private readonly fastEnd: number;
  private readonly instants: InstantEnds | undefined;
  /** Offset of the previous row; NaN at the start of a batch, and if the previous row is blank, is too large or has malformed
   *  quotes. */
  private lastRowOffset = NaN;
  private isInstantContinuing = false;
  private at: Position;
  private batchStart: Position;
  /** True inside a row that is too large: all bytes up to the next line end are skipped. */
  private isSkipping = false;
  private endsFile = false;

  constructor(private readonly options: BatchReaderOptions) {
    const { window, layout, gpus, shiftMs, spreadMs, templates, rowMaxBytes, batchRows, batchMaxRows } = options;
    const { onUnread, otherTable } = options;
    const { delimiter } = options.form;
    const builder = new BatchBuilder(layout.header[layout.hostname]);
    this.builder = builder;
    this.rejections = new Rejections(window, builder, delimiter);
    this.splitter = new RowSplitter(layout.header.length, rowMaxBytes);
    this.rows = new RowReader({ layout, gpus, builder, rejections: this.rejections, shiftMs, onUnread, otherTable });
    this.fastEnd = otherTable?.offset ?? Infinity;
    if (templates !== undefined && delimiter === "," && isExporterLayout(layout)) {
      this.fast = new FastLane({ window, builder, shiftMs, rowMaxBytes, templates });
    }
    if (layout.timestamp === 0 && batchMaxRows > batchRows) this.instants = new InstantEnds(window, spreadMs);
    this.slow = new SlowLane({
      window,
      rows: this.rows,
      rejections: this.rejections,
      header: layout.header,
      delimiter,
      splitsQuoted: templates !== undefined,
      learn: (place, row) => this.fast?.learn(place, row),
    });
    this.at = options.from;
    this.batchStart = options.from;
  }

  /** The position up to which everything was read. */
  get position(): Position {
    return this.at;
  }

  /** True if any line, even a blank one, was read since the last batch. */
  get hasBatch(): boolean {
    return this.at.offset > this.batchStart.offset;
  }

  /** Declares that the file's last row is whole, even if it has no line end. */
  endFile(): void {
    this.endsFile = true;
  }

  /** Reads until the batch is full, the range ends, more bytes are needed, or the file ends in an unfinished row. */
  read(): ReadState {
    for (;;) {
      const state = this.state() ?? this.readNext();
      if (state !== undefined) {
        this.slow.flush();
        // the batch may no longer be full: the pending rows may have included a repeated header, which is not counted
        if (state !== "batch_full" || this.state() === "batch_full") return state;
      } else if (this.slow.isFull) this.slow.flush();
    }
  }

  /** Returns the batch and starts the next one. */
  takeBatch(): { from: Position; to: Position; batch: RecordBatch } {
    const completed = { from: this.batchStart, to: this.at, batch: this.builder.build() };
    this.batchStart = this.at;
    this.lastRowOffset = NaN;
    this.isInstantContinuing = false;
    return completed;
  }

  private state(): ReadState | undefined {
    if (this.isSkipping) return undefined;
    const hasEnded = this.at.offset >= this.options.toOffset;
    if (!this.isFull()) {
      this.isInstantContinuing = false;
      return hasEnded ? "ended" : undefined;
    }
    const continues = hasEnded ? false : this.instantContinues();
    if (continues === undefined) return "needs_bytes";
    return continues ? undefined : "batch_full";
  }

  private isFull(): boolean {
    return this.rowCount >= this.options.batchRows || this.at.offset - this.batchStart.offset >= batchMaxBytes;
  }

  /** True if the next row still belongs to the full batch; undefined if more bytes are needed to decide. */
  private instantContinues(): boolean | undefined {
    const { instants, lastRowOffset, at, batchStart, options } = this;
    if (instants === undefined || Number.isNaN(lastRowOffset) || this.rowCount >= options.batchMaxRows) return false;
    if (at.offset - batchStart.offset >= instantMaxBytes) return false;
    // if the previous row continued the instant, its timestamp is already remembered
    const isRemembered = this.isInstantContinuing && instants.spreadMs === 0;
    if (!isRemembered && lastRowOffset >= options.window.offset) instants.remember(lastRowOffset);
    const continues = instants.continuesAt(at.offset);
    this.isInstantContinuing = continues === true;
    return continues;
  }

  private get rowCount(): number {
    return this.builder.rows + this.slow.pendingRows;
  }

  private readNext(): ReadState | undefined {
    if (this.isSkipping) return this.skipToLineEnd();
    if (this.fast !== undefined && this.at.offset < this.fastEnd && this.readFast(this.fast)) return undefined;
    const row = this.splitter.next(this.options.window, this.at.offset);
    if (row === undefined) return "needs_bytes";
    if (row.mayContinue && !this.endsFile) return "unfinished_row";
    const place = { start: row.start, end: row.end, line: this.at.line };
    this.take(row, place);
    this.lastRowOffset = row.kind === "regular" ? row.start : NaN;
    this.at = { offset: row.next, line: this.at.line + row.lines };
    return undefined;
  }

  /** Reads rows on the fast lane until a row does not match, the range ends or the batch is full.
   *  @returns false if no row was read */
  private readFast(fast: FastLane): boolean {
    const { batchRows, toOffset } = this.options;
    const endOffset = Math.min(toOffset, this.fastEnd, this.batchStart.offset + batchMaxBytes);
    let { offset, line } = this.at;
    // a full batch continues row by row, until its last instant ends
    const isBatchFull = this.isFull();
    while ((isBatchFull || (offset < endOffset && this.rowCount < batchRows)) && fast.match(offset)) {
      this.slow.flush();
      fast.take(line, offset);
      this.lastRowOffset = offset;
      offset = fast.nextOffset;
      line += 1;
      if (isBatchFull) break;
    }
    if (offset === this.at.offset) return false;
    this.at = { offset, line };
    return true;
  }

  private take(row: RawRow, place: RowPlace): void {
    if (row.kind === "regular") return this.slow.add(place, row.next);
    if (row.kind === "blank" && row.end === row.start) return this.builder.count("blankLines");
    this.slow.flush();
    if (row.kind === "blank") return this.builder.count("blankLines");
    this.rows.reject(
      place,
      row.kind === "malformed_quotes" ? malformedQuotes() : rowTooLarge(this.options.rowMaxBytes),
    );
    this.isSkipping = row.kind === "record_too_large";
  }

  private skipToLineEnd(): ReadState | undefined {
    const { window } = this.options;
    const { next, isFound } = window.lineAfter(this.at.offset);
    this.isSkipping = !isFound && !window.atEnd;
    this.at = { ...this.at, offset: next };
    return this.isSkipping ? "needs_bytes" : undefined;
  }
}
