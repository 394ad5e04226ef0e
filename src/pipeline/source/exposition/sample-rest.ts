import { hashSign, openBrace } from "../bytes/characters.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { timestampOfMs } from "../../../domain/timestamp.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { readLabelSet } from "./label-set.ts";
import { invalidValue, malformedLine, valueTooLarge } from "./line-errors.ts";
import type { LineReader } from "./line-reader.ts";
import { readNumber } from "./number-text.ts";
import type { ExpositionFormat, ExpositionLimits } from "./scanned-exposition.ts";

/** What follows the labels of a sample. */
export interface SampleRest {
  readonly value: number;
  readonly timestampMs: number | undefined;
}

/** By which rules the samples of an exposition are read. */
export interface SampleRules {
  readonly format: ExpositionFormat;
  readonly limits: ExpositionLimits;
}

const wholeNumber = /^[+-]?\d+$/;

/** Reads a value, a timestamp and an exemplar; the latter two may be missing. The exemplar is checked and ignored.
 *  @param line after the labels
 *  @param metric the name of the metric, for the error */
export function readSampleRest(line: LineReader, metric: string, rules: SampleRules): SampleRest | FieldError {
  line.skipBlanks();
  const text = line.token();
  const value = readNumber(text);
  if (value === undefined) return invalidValue(metric, text);
  if (value === "too_large") return valueTooLarge(metric, text);
  const timestampMs = readTimestamp(line, rules.format);
  if (typeof timestampMs === "object") return timestampMs;
  return readExemplar(line, rules) ?? { value, timestampMs };
}

function readTimestamp(line: LineReader, format: ExpositionFormat): number | undefined | FieldError {
  line.skipBlanks();
  if (line.isAtEnd || line.bytes[line.at] === hashSign) return undefined;
  const text = line.token();
  const number = format === "openmetrics" || wholeNumber.test(text) ? readNumber(text) : undefined;
  if (typeof number !== "number" || !Number.isFinite(number)) return invalidTimestamp(text, format);
  const read = timestampOfMs(format === "openmetrics" ? Math.round(number * 1000) : number, text);
  if ("ms" in read) return read.ms;
  const message = `${read.message} It is a number of ${timestampUnit[format]}.`;
  return { reason: read.reason, field: "timestamp", value: text, message };
}

/** @returns the error; undefined if there is an exemplar or nothing */
function readExemplar(line: LineReader, { limits }: SampleRules): FieldError | undefined {
  line.skipBlanks();
  if (line.isAtEnd) return undefined;
  if (!line.take(hashSign)) return badExemplar(line);
  line.skipBlanks();
  if (line.bytes[line.at] !== openBrace) return badExemplar(line);
  const labelSet = readLabelSet(line, limits);
  if ("reason" in labelSet) return labelSet;
  for (const isRequired of [true, false]) {
    line.skipBlanks();
    if (line.isAtEnd && !isRequired) return undefined;
    if (typeof readNumber(line.token()) !== "number") return badExemplar(line);
  }
  line.skipBlanks();
  return line.isAtEnd ? undefined : badExemplar(line);
}

function badExemplar(line: LineReader): FieldError {
  const problem = 'after the value, only a timestamp and an exemplar such as # {trace_id="1"} 0.5 may follow';
  return malformedLine(problem, line.rest());
}

const timestampUnit: Readonly<Record<ExpositionFormat, string>> = {
  text: "whole milliseconds since 1970, such as 1752871354500, in Prometheus's text format",
  openmetrics: "seconds since 1970, such as 1752871354.5, in OpenMetrics",
};

function invalidTimestamp(text: string, format: ExpositionFormat): FieldError {
  const message = `The timestamp ${quoted(text)} is not a number of ${timestampUnit[format]}.`;
  return { reason: "invalid_timestamp", field: "timestamp", value: text, message };
}
