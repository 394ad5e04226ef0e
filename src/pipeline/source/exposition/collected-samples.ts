import { type RejectedInput, valueMaxLength } from "../../../domain/batch.ts";
import { cutText } from "../../../domain/cut-text.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { carriageReturn, lineFeed, space } from "../bytes/characters.ts";
import { rawText, shown } from "../bytes/shown-text.ts";
import { ExpositionScanner } from "./exposition-scanner.ts";
import { cutLine } from "./line-errors.ts";
import {
  type ExpositionSink,
  type ReceivedExposition,
  type ScannedExposition,
  type ScannedSeries,
  usualLimits,
} from "./scanned-exposition.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";

/** A sample of an exposition, with its place. */
export interface CollectedSample {
  readonly series: ScannedSeries;
  readonly value: number;
  /** Undefined if the line has none. */
  readonly timestampMs: number | undefined;
  readonly line: number;
  /** The offset of the line's first byte. */
  readonly byte: number;
}

/** Collects the samples of an exposition, in the order of its lines. */
export class CollectedSamples implements ExpositionSink {
  private readonly scanner: ExpositionScanner;
  private found: CollectedSample[] = [];
  private unreadable: RejectedInput[] = [];

  constructor(texts: SharedTexts) {
    this.scanner = new ExpositionScanner(usualLimits, texts);
  }

  get samples(): readonly CollectedSample[] {
    return this.found;
  }

  /** The rejections of lines that could not be read. */
  get rejections(): readonly RejectedInput[] {
    return this.unreadable;
  }

  /** A sample in whose line the exposition ends is rejected: its number may be a part of a number. */
  scan({ bytes, format }: ReceivedExposition): ScannedExposition & { readonly isCut: boolean } {
    this.clear();
    const scanned = this.scanner.scan(bytes, this, format);
    const { endsInLine, sawEnd, lines } = scanned;
    const last = endsInLine ? this.found.at(-1) : undefined;
    const cut = last?.line === lines ? last : undefined;
    if (cut !== undefined) {
      this.found.pop();
      this.unreadable.push(rejectionOf(cut, bytes, cutLine(cut.series.name)));
    }
    const isWithoutEnd = (endsInLine && !isBlankAfter(bytes)) || format === "openmetrics";
    return { ...scanned, isCut: cut !== undefined || (isWithoutEnd && !sawEnd) };
  }

  sample(series: ScannedSeries, value: number, timestampMs: number | undefined): void {
    const { line, byte } = this.scanner;
    this.found.push({ series, value, timestampMs, line, byte });
  }

  rejected(input: RejectedInput): void {
    this.unreadable.push(input);
  }

  clear(): void {
    this.found = [];
    this.unreadable = [];
  }
}

/** True if only blanks follow the last line end. */
function isBlankAfter(bytes: Uint8Array): boolean {
  return bytes.subarray(bytes.lastIndexOf(lineFeed) + 1).every((byte) => byte <= space);
}

/** The rejection of a sample that was collected from these bytes. */
export function rejectionOf(
  sample: CollectedSample,
  bytes: Uint8Array,
  { reason, field, value, message }: FieldError,
): RejectedInput {
  const { line, byte } = sample;
  const raw = rawText(lineOf(sample, bytes));
  const cut = (text: string): string => cutText(shown(text), valueMaxLength);
  return { line, byte, reason, field: cut(field), value: cut(value), message, raw };
}

/** A name, labels in braces, and the value. */
const beforeValue = /^\s*[^\s{]*\s*(?:\{[^"}]*(?:"(?:[^"\\]|\\.)*"[^"}]*)*\})?\s*(\S+)/;

/** The value of a sample as it was sent: `+Inf`, `150.0`. */
export function valueTextOf(sample: CollectedSample, bytes: Uint8Array): string {
  const line = new TextDecoder().decode(lineOf(sample, bytes));
  return beforeValue.exec(line)?.[1] ?? String(sample.value);
}

function lineOf({ byte }: CollectedSample, bytes: Uint8Array): Uint8Array {
  const lineEnd = bytes.indexOf(lineFeed, byte);
  const end = lineEnd === -1 ? bytes.length : lineEnd;
  return bytes.subarray(byte, bytes[end - 1] === carriageReturn ? end - 1 : end);
}
