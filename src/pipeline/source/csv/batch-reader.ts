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

/** A batch also ends here, so that few very long rows, or very many that are blank, do not make it endless. */
const batchMaxBytes = 8 * 1024 * 1024;

/** How a stretch of a file is read. */
export interface BatchReaderOptions {
  readonly window: FileWindow;
  readonly layout: Layout;
  readonly gpus: GpuCache;
  readonly batchRows: number;
  /** Up to so many, to end with an instant: the records of a fleet that is read metric by metric stay in one batch. */
  readonly batchMaxRows: number;
  readonly shiftMs: number;
  /** What the fast lane has learnt of the file; undefined leaves every row to csv-parse. What comes out is the same. */
  readonly templates: FastTemplates | undefined;
  /** A longer row is rejected. */
  readonly recordMaxBytes: number;
  readonly from: Position;
  /** Rows that start before it are read. */
  readonly toOffset: number;
}

/** Where a read stopped: the batch is full, more bytes are needed, or there are no more. */
export type ReadState = "batch_full" | "needs_bytes" | "ended";

/** Reads rows from a window into batches, without waiting for anything.
 *
 *  Where a batch ends depends on the rows alone, never on the size of the chunks or on the lane: after the row that
 *  makes `batchRows` or, where the next ones are of the same instant, the last of them up to `batchMaxRows`; or after the
 *  record that makes 8 MiB (64 MiB within an instant). */
export class BatchReader {
  private readonly builder = new BatchBuilder();
  private readonly attributes = new ReportedAttributes();
  private readonly rejections: Rejections;
  private readonly splitter: RecordSplitter;
  private readonly rows: RowReader;
  private readonly slow: SlowLane;
  private readonly fast: FastLane | undefined;
  private readonly instants: InstantEnds | undefined;
  /** Where the row before starts; NaN where there is none in the batch, or none that can be read. */
  private lastRowOffset = NaN;
  private isGoingOn = false;
  private at: Position;
  private batchStart: Position;
  /** Inside a record that is too large: everything up to the next line end is passed over. */
  private skipping = false;

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

  /** The place up to which everything was read. */
  get position(): Position {
    return this.at;
  }

  /** True when something was read since the last batch, be it only a blank line. */
  get hasBatch(): boolean {
    return this.at.offset > this.batchStart.offset;
  }

  /** Reads as far as the bytes in memory reach, or until the batch is full. */
  read(): ReadState {
    for (;;) {
      const state = this.state() ?? this.readNext();
      if (state !== undefined) {
        this.slow.flush();
        // a repeated header was pending as a row and is none
        if (state !== "batch_full" || this.state() === "batch_full") return state;
      } else if (this.slow.isFull) this.slow.flush();
    }
  }

  /** Hands out the batch and begins the next one. */
  takeBatch(): { from: Position; to: Position; batch: RecordBatch } {
    this.attributes.apply(this.builder);
    const taken = { from: this.batchStart, to: this.at, batch: this.builder.build() };
    this.batchStart = this.at;
    this.lastRowOffset = NaN;
    this.isGoingOn = false;
    return taken;
  }

  private state(): ReadState | undefined {
    if (this.skipping) return undefined;
    const hasEnded = this.at.offset >= this.options.toOffset;
    if (!this.isFull()) {
      this.isGoingOn = false;
      return hasEnded ? "ended" : undefined;
    }
    const goesOn = hasEnded ? false : this.instantGoesOn();
    if (goesOn === undefined) return "needs_bytes";
    return goesOn ? undefined : "batch_full";
  }

  private isFull(): boolean {
    return this.rowCount >= this.options.batchRows || this.at.offset - this.batchStart.offset >= batchMaxBytes;
  }

  /** True where a full batch takes the next row, too; undefined where more bytes are needed to tell. */
  private instantGoesOn(): boolean | undefined {
    const { instants, lastRowOffset, at, batchStart, options } = this;
    if (instants === undefined || Number.isNaN(lastRowOffset) || this.rowCount >= options.batchMaxRows) return false;
    if (at.offset - batchStart.offset >= instantMaxBytes) return false;
    // a row that was taken because the instant goes on is of that instant
    if (!this.isGoingOn && lastRowOffset >= options.window.offset) instants.remember(lastRowOffset);
    const goesOn = instants.continuesAt(at.offset);
    this.isGoingOn = goesOn === true;
    return goesOn;
  }

  private get rowCount(): number {
    return this.builder.rows + this.slow.pendingRows;
  }

  private readNext(): ReadState | undefined {
    if (this.skipping) return this.skipToLineEnd();
    if (this.fast !== undefined && this.readFast(this.fast)) return undefined;
    const record = this.splitter.next(this.options.window, this.at.offset);
    if (record === undefined) return "needs_bytes";
    const place = { start: record.start, end: record.end, line: this.at.line };
    this.take(record, place);
    this.lastRowOffset = record.kind === "regular" ? record.start : NaN;
    this.at = { offset: record.next, line: this.at.line + record.lines };
    return undefined;
  }

  /** Takes rows as long as they match. @returns false when there was none */
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
    this.skipping = record.kind === "record_too_large";
  }

  private skipToLineEnd(): ReadState | undefined {
    const { window } = this.options;
    const { next, isFound } = window.lineAfter(this.at.offset);
    this.skipping = !isFound && !window.atEnd;
    this.at = { ...this.at, offset: next };
    return this.skipping ? "needs_bytes" : undefined;
  }
}
