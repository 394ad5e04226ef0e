import { isUtf8 } from "node:buffer";
import { type RejectedInput, valueMaxLength } from "../../../domain/batch.ts";
import { cutText } from "../../../domain/cut-text.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { viewOf } from "../bytes/byte-arena.ts";
import { carriageReturn, hashSign, lineFeed, openBrace, space } from "../bytes/characters.ts";
import { decimalAt } from "../bytes/fast-decimal.ts";
import { rawText, shown } from "../bytes/shown-text.ts";
import { SharedTexts } from "../labels/shared-texts.ts";
import { readLabelSet, sharedLabelSet } from "./label-set.ts";
import { type ExpositionBytes, type KnownLine, type LabelSet, LineCache } from "./line-cache.ts";
import { invalidName, lineTooLarge, malformedLine, notText, tooLong, unclosedLabels } from "./line-errors.ts";
import { LineKey } from "./line-key.ts";
import { afterLineEnd, isBlank, LineReader, metricName } from "./line-reader.ts";
import { Families, readComment, sharedMetadata } from "./metadata.ts";
import { readSampleRest, type SampleRules } from "./sample-rest.ts";
import {
  type ExpositionFormat,
  type ExpositionLimits,
  type ExpositionSink,
  type ScannedExposition,
  type ScannedSeries,
  usualLimits,
} from "./scanned-exposition.ts";

const noBytes = Buffer.alloc(0);
const byteOrderMark = Buffer.from("\u{FEFF}");
const noLabels: ScannedSeries["labels"] = [];
/** More than `# EOF` and the blank lines that may follow it. */
const endMaxBytes = 64;
const eofAtEnd = /(?:^|\n)# EOF\s*$/;

/** Reads the samples of Prometheus's text format 0.0.4 and of OpenMetrics 1.0 from bytes.
 *
 *  No package of npm will do. parse-prometheus-text-format 1.1.1 reads less than 40,000 samples/s where 10,000 GPUs send 20,000 or
 *  more; it loses a whole scrape for one bad line, reads an exemplar as a timestamp, misreads names in quotes, and makes two families
 *  of one that is interleaved with another.
 *
 *  A line that cannot be read is rejected alone, and never changes what other lines give. Names and labels are read once and then known
 *  by their bytes (line-cache.ts); of a known line, only the number is read. Lines end with LF or CR LF. A BOM at the start is
 *  skipped. What the formats prescribe beyond that for whole expositions is not required: families may be interleaved or repeated,
 *  and comments may be missing.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/ */
export class ExpositionScanner {
  private readonly cache: LineCache;
  private readonly key = new LineKey();
  private readonly families: Families;
  private input: ExpositionBytes = { bytes: noBytes, view: viewOf(noBytes) };
  private rules: SampleRules;
  private sink: ExpositionSink = nowhere;
  /** Where the current line starts. */
  private start = 0;
  private lines = 0;
  private samples = 0;
  private sawEnd = false;
  /** True if the whole exposition is UTF-8 without NUL bytes; undefined as long as nothing needs to know it. */
  private isText: boolean | undefined;

  /** @param texts for all scanners of a process, which read the same names and labels */
  constructor(
    limits: ExpositionLimits = usualLimits,
    private readonly texts = new SharedTexts(),
  ) {
    this.cache = new LineCache(limits);
    this.families = new Families(texts);
    this.rules = { format: "text", limits };
  }

  /** The number of the line that the sink is receiving; the first line is 1. */
  get line(): number {
    return this.lines;
  }

  /** The offset of the first byte of the line that the sink is receiving. */
  get byte(): number {
    return this.start;
  }

  /** The rejection of the line that the sink is receiving, for a reason that the sink has found. */
  rejection(error: FieldError): RejectedInput {
    return {
      line: this.line,
      byte: this.byte,
      reason: error.reason,
      field: cutText(shown(error.field), valueMaxLength),
      value: cutText(shown(error.value), valueMaxLength),
      message: error.message,
      raw: rawText(this.input.bytes.subarray(this.start, this.endOfLine())),
    };
  }

  /** Reads a whole exposition.
   *  @param format as the exporter's Content-Type says it; if it is not known, an exposition that ends with `# EOF` is OpenMetrics */
  scan(bytes: Uint8Array, sink: ExpositionSink, format?: ExpositionFormat): ScannedExposition {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.begin(buffer, sink, format);
    try {
      while (this.start < buffer.length) {
        this.lines += 1;
        this.start = this.readLine();
      }
      const endsInLine = buffer.length > 0 && buffer.at(-1) !== lineFeed;
      const { lines, samples, sawEnd } = this;
      return { families: this.families.finish(), sawEnd, endsInLine, samples, lines };
    } finally {
      // the scanner of a target outlives the scrape
      this.input = { bytes: noBytes, view: viewOf(noBytes) };
      this.sink = nowhere;
    }
  }

  private begin(buffer: Buffer, sink: ExpositionSink, format: ExpositionFormat | undefined): void {
    this.input = { bytes: buffer, view: viewOf(buffer) };
    this.sink = sink;
    this.rules = { ...this.rules, format: format ?? (endsWithEof(buffer) ? "openmetrics" : "text") };
    this.start = buffer.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0;
    this.lines = 0;
    this.samples = 0;
    this.sawEnd = false;
    this.isText = undefined;
    this.cache.rewind();
    this.families.rewind();
  }

  /** @returns the start of the next line, as all methods that read a line */
  private readLine(): number {
    const { cache, input, start } = this;
    const expected = cache.expected(input, start);
    const afterExpected = expected === undefined ? undefined : this.readExpected(expected);
    if (afterExpected !== undefined) return afterExpected;
    let at = start;
    while (isBlank(input.bytes[at])) at += 1;
    const next = afterLineEnd(input.bytes, at);
    if (next !== undefined) return next;
    if (input.bytes[at] === hashSign) return this.readComment(at);
    if (!this.key.findSeries(input.bytes, at)) return this.reject(this.lineError() ?? unclosedLabels());
    const series = cache.find(this.key, input)?.series ?? this.learnSeries();
    return "reason" in series ? this.reject(series) : this.readSample(series, this.key.end);
  }

  /** @returns undefined if the line only begins as the known line does */
  private readExpected({ byteCount, metadata, series, tail }: KnownLine): number | undefined {
    const { bytes } = this.input;
    const at = this.start + byteCount;
    if (series !== undefined) {
      return tail.length > 0 || this.isNameBefore(at) ? this.readSample(series, at) : undefined;
    }
    const next = afterLineEnd(bytes, at);
    if (next !== undefined && metadata !== undefined) this.families.add(metadata);
    return next;
  }

  /** True if a name without labels ends at `at`. */
  private isNameBefore(at: number): boolean {
    const { bytes } = this.input;
    if (!isBlank(bytes[at])) return false;
    let next = at;
    while (isBlank(bytes[next])) next += 1;
    return bytes[next] !== openBrace;
  }

  /** @param at after the labels */
  private readSample(series: ScannedSeries, at: number): number {
    const { bytes } = this.input;
    let valueStart = at;
    while (isBlank(bytes[valueStart])) valueStart += 1;
    let valueEnd = valueStart;
    while ((bytes[valueEnd] as number) > space) valueEnd += 1;
    const value = decimalAt(bytes, valueStart, valueEnd);
    const next = value === undefined ? undefined : afterLineEnd(bytes, valueEnd);
    if (value === undefined || next === undefined || valueEnd - this.start > this.rules.limits.maxLineBytes) {
      return this.readUnusualSample(series, at);
    }
    this.samples += 1;
    this.sink.sample(series, value, undefined);
    return next;
  }

  /** Reads a sample with a timestamp, an exemplar, blanks at the end or a number of another form. */
  private readUnusualSample(series: ScannedSeries, at: number): number {
    const error = this.lineError();
    if (error !== undefined) return this.reject(error);
    const rest = readSampleRest(new LineReader(this.input.bytes, at, this.endOfLine()), series.name, this.rules);
    if ("reason" in rest) return this.reject(rest);
    this.samples += 1;
    this.sink.sample(series, rest.value, rest.timestampMs);
    return this.nextLine();
  }

  /** Reads the name and the labels of a series that is not known; the key has their places. */
  private learnSeries(): ScannedSeries | FieldError {
    const { cache, input, key } = this;
    const error = this.lineError();
    if (error !== undefined) return error;
    const labelSet = key.tail.length === 0 ? undefined : (cache.labelSet(key, input) ?? this.readLabels());
    if (labelSet !== undefined && "reason" in labelSet) return labelSet;
    const nameInLabels = labelSet?.metricName;
    if (key.head.length > 0 && nameInLabels !== undefined) {
      return malformedLine("it has two names of metrics", nameInLabels);
    }
    const name = nameInLabels ?? cache.name(key, input) ?? this.readName();
    if (typeof name === "object") return name;
    const series = { name, labels: labelSet?.labels ?? noLabels };
    cache.add(key, input, { series, labelSet, metadata: undefined });
    return series;
  }

  private readLabels(): LabelSet | FieldError {
    const { input, key, rules, texts } = this;
    const read = readLabelSet(new LineReader(input.bytes, key.tail.start, this.endOfLine()), rules.limits);
    return "reason" in read ? read : sharedLabelSet(read, texts);
  }

  private readName(): string | FieldError {
    const { start, end, length } = this.key.head;
    const { maxNameBytes } = this.rules.limits;
    if (length === 0) return malformedLine("the name of the metric is missing", "");
    const name = this.input.bytes.toString("utf8", start, end);
    if (!metricName.test(name)) return invalidName("metric", name);
    return length > maxNameBytes ? tooLong("", name, maxNameBytes) : this.texts.shared(name);
  }

  /** @param at the comment's # */
  private readComment(at: number): number {
    const { cache, input, key } = this;
    key.takeComment(input.bytes, at, this.endOfLine());
    const known = cache.find(key, input)?.metadata;
    const read = known ?? readComment(new LineReader(input.bytes, at, key.head.end), this.rules.limits);
    if (read === "end") this.sawEnd = true;
    if (read === undefined || read === "end") return this.nextLine();
    const error = known === undefined ? this.lineError() : undefined;
    if (error !== undefined) return this.reject(error);
    if ("reason" in read) return this.reject(read);
    const metadata = known ?? sharedMetadata(read, this.texts);
    if (known === undefined) cache.add(key, input, { series: undefined, metadata, labelSet: undefined });
    this.families.add(metadata);
    return this.nextLine();
  }

  private reject(error: FieldError): number {
    this.sink.rejected(this.rejection(error));
    return this.nextLine();
  }

  /** The error of a line that is too long or no text. */
  private lineError(): FieldError | undefined {
    const { maxLineBytes } = this.rules.limits;
    const { bytes } = this.input;
    const end = this.endOfLine();
    if (end - this.start > maxLineBytes) return lineTooLarge(maxLineBytes);
    // one look at all bytes is faster than one at each line
    this.isText ??= isUtf8(bytes) && !bytes.includes(0);
    if (this.isText) return undefined;
    const line = bytes.subarray(this.start, end);
    if (line.includes(0)) return notText("nul_byte");
    return isUtf8(line) ? undefined : notText("invalid_utf8");
  }

  /** The end of the current line, without its line end. */
  private endOfLine(): number {
    const { bytes } = this.input;
    const lineEnd = bytes.indexOf(lineFeed, this.start);
    const end = lineEnd === -1 ? bytes.length : lineEnd;
    return end > this.start && bytes[end - 1] === carriageReturn ? end - 1 : end;
  }

  private nextLine(): number {
    const { bytes } = this.input;
    const lineEnd = bytes.indexOf(lineFeed, this.start);
    return lineEnd === -1 ? bytes.length : lineEnd + 1;
  }
}

const nowhere: ExpositionSink = { sample: () => undefined, rejected: () => undefined };

function endsWithEof(bytes: Buffer): boolean {
  return eofAtEnd.test(bytes.toString("latin1", Math.max(0, bytes.length - endMaxBytes)));
}
