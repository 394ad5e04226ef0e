import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { type JudgedReading, judgeReading } from "../../../domain/dialects/judge-reading.ts";
import { parseTimestamp } from "../../../domain/timestamp.ts";
import { carriageReturn, comma, lineFeed, quote } from "../bytes/characters.ts";
import { ByteString, type Piece, viewOf } from "../bytes/byte-arena.ts";
import { hashStart, hashStep } from "../bytes/byte-hash.ts";
import type { FastTemplates, IdentityTemplate, LabelsTemplate, MetricTemplate } from "./fast-templates.ts";
import { decimalAt } from "../bytes/fast-decimal.ts";
import type { FileWindow } from "./file-window.ts";
import type { RowPlace } from "./rejections.ts";
import type { RecognizedRow } from "./row-reader.ts";
import { judgeNumber, readValue } from "../../../domain/value-text.ts";

/** The parts that the fast lane works with. */
export interface FastLaneParts {
  readonly window: FileWindow;
  readonly builder: BatchBuilder;
  readonly shiftMs: number;
  /** The slow lane reads longer rows. */
  readonly rowMaxBytes: number;
  /** The rows learnt so far; readers of the same file share them. */
  readonly templates: FastTemplates;
}

/** Returned instead of an index if the bytes do not match, or if there is no line end. */
const notFound = -1;

/** Number of cells from gpu_id to namespace. */
const identityCells = 8;
/** The greatest length of a timestamp or value with its closing quote; the slow lane reads rows with longer ones. */
const cellMaxBytes = 40;

/** Reads rows of dcgm-exporter's exact layout by comparing their bytes with those of rows that the slow lane has read.
 *
 *  A row matches if its cells were learnt before: the same metric name, the same GPU and workload, and the same labels
 *  except for the metric name in them. Timestamp and value are read from the bytes. Any other row (another form, an unknown
 *  GPU, a value out of range) does not match, and the slow lane reads it. So both lanes always give the same result. */
export class FastLane {
  private readonly templates: FastTemplates;
  private bytes: Buffer = Buffer.alloc(0);
  private view = viewOf(this.bytes);
  /** Index of the last line end in memory; a row that starts after it does not match. */
  private lastLineEnd = notFound;

  private timestamp: ByteString | undefined;
  private timeMs = NaN;
  private metric: MetricTemplate | undefined;
  private identity: IdentityTemplate | undefined;
  private generation: number;
  private labels: LabelsTemplate | undefined;
  /** NaN for a missing value. */
  private value = NaN;
  private next = 0;

  constructor(private readonly parts: FastLaneParts) {
    this.templates = parts.templates;
    this.generation = parts.templates.generation;
  }

  /** File offset after the row that matched. */
  get nextOffset(): number {
    return this.next + this.parts.window.offset;
  }

  learn(place: RowPlace, row: RecognizedRow): void {
    const { window } = this.parts;
    this.templates.learn(window.bytes.subarray(place.start - window.offset, place.end - window.offset), row);
  }

  /** @returns whether the row at `offset` matches; `take` then adds it to the batch */
  match(offset: number): boolean {
    const { window } = this.parts;
    if (window.bytes !== this.bytes) this.readWindow(window.bytes);
    const start = window.indexOf(offset);
    if (start >= this.lastLineEnd || this.bytes[start] !== quote) return false;
    const metricStart = this.matchTimestamp(start + 1);
    if (metricStart === notFound) return false;
    const identityStart = this.matchMetric(metricStart);
    if (identityStart === notFound) return false;
    const valueStart = this.matchIdentity(identityStart);
    if (valueStart === notFound) return false;
    const labelsStart = this.matchValue(valueStart);
    return labelsStart !== notFound && this.matchLabels(labelsStart) && this.next - start <= this.parts.rowMaxBytes;
  }

  /** Adds the row that matched to the batch; a missing value is only counted.
   *  @param line its line in the file
   *  @param start the file offset of its first byte */
  take(line: number, start: number): void {
    const { builder, shiftMs } = this.parts;
    const { labels, metric, value } = this;
    if (labels === undefined || metric === undefined) return;
    builder.count("rows");
    if (value !== value) return builder.count("missing");
    builder.moveTo(line, start);
    const record = builder.recordAt(metric.isOfBoard ? labels.board : labels.device, this.timeMs + shiftMs);
    if (typeof metric.metric === "number") builder.set(record, metric.metric, value);
    else builder.setCustom(record, metric.metric, value);
  }

  private readWindow(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.lastLineEnd = bytes.lastIndexOf(lineFeed);
  }

  /** @returns the start of the metric name */
  private matchTimestamp(start: number): number {
    const { bytes, timestamp, view } = this;
    if (timestamp?.isAt(view, start) === true && bytes[start + timestamp.length] === quote) {
      return this.nextCell(start + timestamp.length);
    }
    const end = this.cellEnd(start);
    if (end === notFound) return notFound;
    const parsed = parseTimestamp(bytes.toString("latin1", start, end));
    if ("reason" in parsed) return notFound;
    this.timestamp = new ByteString(bytes.subarray(start, end));
    this.timeMs = parsed.ms;
    return this.nextCell(end);
  }

  /** @returns the start of the gpu_id */
  private matchMetric(start: number): number {
    const { bytes, metric, view } = this;
    if (metric?.name.isAt(view, start) === true) {
      const end = start + metric.name.length;
      if (bytes[end] === quote) return this.nextCell(end);
    }
    let hash = hashStart;
    let end = start;
    for (; bytes[end] !== quote; end += 1) {
      if (end >= this.lastLineEnd) return notFound;
      hash = hashStep(hash, bytes[end] as number);
    }
    const found = this.templates.metric(hash);
    if (found?.name.length !== end - start || !found.name.isAt(view, start)) return notFound;
    this.metric = found;
    return this.nextCell(end);
  }

  /** @returns the start of the value */
  private matchIdentity(start: number): number {
    if (this.generation !== this.templates.generation) {
      this.generation = this.templates.generation;
      this.identity = undefined;
    }
    const { identity } = this;
    const following = identity?.next;
    if (following !== undefined && this.equal(following.cells, start)) return this.identified(following, start);
    if (identity !== undefined && this.equal(identity.cells, start)) return this.identified(identity, start);
    const found = this.findIdentity(start);
    if (found === undefined) return notFound;
    if (identity !== undefined) identity.next = found;
    return this.identified(found, start);
  }

  private identified(template: IdentityTemplate, start: number): number {
    this.identity = template;
    return start + template.cells.length;
  }

  private findIdentity(start: number): IdentityTemplate | undefined {
    const { bytes, lastLineEnd } = this;
    let hash = hashStart;
    let at = start;
    for (let cells = 0; cells < identityCells;) {
      const byte = bytes[at] as number;
      if (at >= lastLineEnd || byte === lineFeed) return undefined;
      hash = hashStep(hash, byte);
      at += 1;
      if (byte !== quote) continue;
      if (bytes[at] !== comma || bytes[at + 1] !== quote) return undefined;
      hash = hashStep(hashStep(hash, comma), quote);
      at += 2;
      cells += 1;
    }
    const found = this.templates.identity(hash);
    return found?.cells.length === at - start && this.equal(found.cells, start) ? found : undefined;
  }

  /** @returns the start of the labels */
  private matchValue(start: number): number {
    const { bytes, metric } = this;
    if (metric === undefined) return notFound;
    const end = this.cellEnd(start);
    if (end === notFound) return notFound;
    const number = decimalAt(bytes, start, end);
    const value =
      number === undefined
        ? readValue(metric.spelling ?? metric.metric, bytes.toString("latin1", start, end))
        : judged(metric, number);
    if (typeof value === "object" || value === "out_of_range" || value === "undecided") return notFound;
    this.value = value === "missing" ? NaN : value;
    return this.nextCell(end);
  }

  private matchLabels(start: number): boolean {
    const labels = this.identity?.labels ?? [];
    for (let index = 0; index < labels.length; index += 1) {
      const template = labels[index] as LabelsTemplate;
      const end = this.labelsEnd(template, start);
      if (end === notFound) continue;
      if (index > 0) labels.unshift(...labels.splice(index, 1));
      this.labels = template;
      this.next = end;
      return true;
    }
    return false;
  }

  /** @returns the start of the next row */
  private labelsEnd({ before, after }: LabelsTemplate, start: number): number {
    const { bytes, metric, view } = this;
    if (metric === undefined || !this.equal(before, start)) return notFound;
    let at = start + before.length;
    if (after !== undefined) {
      if (!metric.name.isAt(view, at)) return notFound;
      at += metric.name.length;
      if (!this.equal(after, at)) return notFound;
      at += after.length;
    }
    if (bytes[at] === lineFeed) return at + 1;
    return bytes[at] === carriageReturn && bytes[at + 1] === lineFeed ? at + 2 : notFound;
  }

  /** @returns the index of the quote that ends a short cell of printable ASCII */
  private cellEnd(start: number): number {
    const { bytes } = this;
    const stop = Math.min(start + cellMaxBytes, this.lastLineEnd);
    for (let at = start; at < stop; at += 1) {
      const byte = bytes[at] as number;
      if (byte === quote) return at;
      if (byte < 0x20 || byte > 0x7e) return notFound;
    }
    return notFound;
  }

  /** @param end index of a cell's closing quote @returns the start of the next cell's text */
  private nextCell(end: number): number {
    return this.bytes[end + 1] === comma && this.bytes[end + 2] === quote ? end + 3 : notFound;
  }

  private equal(piece: Piece, at: number): boolean {
    return this.templates.isAt(piece, this.view, at);
  }
}

function judged({ metric, spelling }: MetricTemplate, value: number): JudgedReading {
  return spelling === undefined ? judgeNumber(metric, value) : judgeReading(spelling, value);
}
