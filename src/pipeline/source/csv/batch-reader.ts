import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { Position } from "../../../domain/range.ts";
import { FastLane } from "./fast-lane.ts";
import type { FastTemplates } from "./fast-templates.ts";
import type { FileWindow } from "./file-window.ts";
import type { GpuCache } from "./gpu-cache.ts";
import { InstantEnds, instantMaxBytes } from "./instant-ends.ts";
import { isExporterLayout, type Layout } from "./layout.ts";
import { type RawRecord, RecordSplitter } from "./record-splitter.ts";
import { malformedQuotes, Rejections, type RowPlace, rowTooLarge } from "./rejections.ts";
import { ReportedAttributes } from "./reported-attributes.ts";
import { RowReader } from "./row-reader.ts";
import { SlowLane } from "./slow-lane.ts";

/** A batch also ends after so many bytes: very long rows, or very many blank lines, would make it too large. */
const batchMaxBytes = 8 * 1024 * 1024;

/** How a range of a file is read. */
export interface BatchReaderOptions {
  readonly window: FileWindow;
  readonly layout: Layout;
  readonly gpus: GpuCache;
  readonly batchRows: number;
  /** A batch may grow to so many rows in order to end with an instant: the records of a fleet that is read metric by metric
   *  then stay in one batch. */
  readonly batchMaxRows: number;
  readonly shiftMs: number;
  /** What the fast lane has learnt about the file; undefined leaves every row to csv-parse, with the same result. */
  readonly templates: FastTemplates | undefined;
  /** A longer row is rejected. */
  readonly recordMaxBytes: number;
  readonly from: Position;
  /** Rows that start before this offset are read. */
  readonly toOffset: number;
}

/** Why a read stopped: the batch is full, more bytes are needed, or the range has ended. */
export type ReadState = "batch_full" | "needs_bytes" | "ended";

/** Reads rows from a window into batches, without waiting for anything.
 *
 *  Where a batch ends depends on the rows alone, never on the size of the chunks or on the lane. It ends after `batchRows`
 *  rows or 8 MiB. If the next rows are of the same instant, it continues to the last of them, up to `batchMaxRows` rows or
 *  64 MiB. */
export class BatchReader {
  private readonly builder = new BatchBuilder();
  private readonly attributes = new ReportedAttributes();
  private readonly rejections: Rejections;
  private readonly splitter: RecordSplitter;
  private readonly rows: RowReader;
  private readonly slow: SlowLane;
  private readonly fast: FastLane | undefined;
  private readonly instants: InstantEnds | undefined;
  /** Where the previous row starts; NaN if the batch has none, or if it cannot be read. */
  private lastRowOffset = NaN;
  private isInstantContinuing = false;
  private at: Position;
  private batchStart: Position;
  /** Inside a record that is too large: everything up to the next line end is skipped. */
  private isSkipping = false;

  constructor(private readonly options: BatchReaderOptions) {
    const { window, layout, gpus, shiftMs, templates, recordMaxBytes, batchRows, batchMaxRows } = options;
    const { builder, attributes } = this;
    this.rejections = new Rejections(window, builder);
    this.splitter = new RecordSplitter(layout.header.length, recordMaxBytes);
    this.rows = new RowReader({ layout, gpus, builder, rejections: this.rejections, attributes, shiftMs });
    if (templates !== undefined && isExporterLayout(layout)) {
      this.fast = new FastLane({ window, builder, shiftMs, recordMaxBytes, templates });
    }
    if (layout.timestamp === 0 && batchMaxRows > batchRows) this.instants = new InstantEnds(window);
    this.slow = new SlowLane({
      window,
      rows: this.rows,
      rejections: this.rejections,
      header: layout.header,
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

  /** Reads as far as the bytes in memory reach, or until the batch is full. */
  read(): ReadState {
    for (;;) {
      const state = this.state() ?? this.readNext();
      if (state !== undefined) {
        this.slow.flush();
        // a repeated header was counted as a pending row, and is not a row
        if (state !== "batch_full" || this.state() === "batch_full") return state;
      } else if (this.slow.isFull) this.slow.flush();
    }
  }

  /** Returns the batch and starts the next one. */
  takeBatch(): { from: Position; to: Position; batch: RecordBatch } {
    this.attributes.apply(this.builder);
    const taken = { from: this.batchStart, to: this.at, batch: this.builder.build() };
    this.batchStart = this.at;
    this.lastRowOffset = NaN;
    this.isInstantContinuing = false;
    return taken;
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

  /** True if the next row belongs to a full batch, too; undefined if more bytes are needed to decide. */
  private instantContinues(): boolean | undefined {
    const { instants, lastRowOffset, at, batchStart, options } = this;
    if (instants === undefined || Number.isNaN(lastRowOffset) || this.rowCount >= options.batchMaxRows) return false;
    if (at.offset - batchStart.offset >= instantMaxBytes) return false;
    // a row that continued the instant is of that instant: no need to remember it again
    if (!this.isInstantContinuing && lastRowOffset >= options.window.offset) instants.remember(lastRowOffset);
    const continues = instants.continuesAt(at.offset);
    this.isInstantContinuing = continues === true;
    return continues;
  }

  private get rowCount(): number {
    return this.builder.rows + this.slow.pendingRows;
  }

  private readNext(): ReadState | undefined {
    if (this.isSkipping) return this.skipToLineEnd();
    if (this.fast !== undefined && this.readFast(this.fast)) return undefined;
    const record = this.splitter.next(this.options.window, this.at.offset);
    if (record === undefined) return "needs_bytes";
    const place = { start: record.start, end: record.end, line: this.at.line };
    this.take(record, place);
    this.lastRowOffset = record.kind === "regular" ? record.start : NaN;
    this.at = { offset: record.next, line: this.at.line + record.lines };
    return undefined;
  }

  /** Takes rows as long as they match. @returns false if none matched */
  private readFast(fast: FastLane): boolean {
    const { batchRows, toOffset } = this.options;
    const endOffset = Math.min(toOffset, this.batchStart.offset + batchMaxBytes);
    let { offset, line } = this.at;
    // the last instant of a full batch is read row by row
    const isWholeInstant = this.isFull();
    while ((isWholeInstant || (offset < endOffset && this.rowCount < batchRows)) && fast.match(offset)) {
      this.slow.flush();
      fast.take();
      this.lastRowOffset = offset;
      offset = fast.nextOffset;
      line += 1;
      if (isWholeInstant) break;
    }
    if (offset === this.at.offset) return false;
    this.at = { offset, line };
    return true;
  }

  private take(record: RawRecord, place: RowPlace): void {
    if (record.kind === "regular") return this.slow.add(place, record.next);
    if (record.kind === "blank") return this.builder.count("blankLines");
    this.slow.flush();
    this.rows.reject(
      place,
      record.kind === "malformed_quotes" ? malformedQuotes() : rowTooLarge(this.options.recordMaxBytes),
    );
    this.isSkipping = record.kind === "record_too_large";
  }

  private skipToLineEnd(): ReadState | undefined {
    const { window } = this.options;
    const { next, isFound } = window.lineAfter(this.at.offset);
    this.isSkipping = !isFound && !window.atEnd;
    this.at = { ...this.at, offset: next };
    return this.isSkipping ? "needs_bytes" : undefined;
  }
}
