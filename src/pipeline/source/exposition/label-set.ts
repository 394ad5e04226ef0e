import { closeBrace, comma, equalsSign, openBrace, quote } from "../bytes/characters.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import type { LabelSet } from "./line-cache.ts";
import { invalidName, malformedLine, repeatedLabel, tooLong, tooManyLabels, unclosedLabels } from "./line-errors.ts";
import type { LineReader } from "./line-reader.ts";
import type { ExpositionLimits, Label } from "./scanned-exposition.ts";

/** Reads labels with their braces: `{gpu="0",UUID="GPU-1"}`, also with blanks between the parts, a comma at the end and names in
 *  quotes. A name in quotes without a value is the name of the metric: `{"gpu.temp",gpu="0"}`.
 *  Source: https://prometheus.io/docs/instrumenting/content_negotiation/#escaping-schemes (names in quotes)
 *  @param line at the brace; after it if there is no error */
export function readLabelSet(line: LineReader, limits: ExpositionLimits): LabelSet | FieldError {
  const labels: Label[] = [];
  let metricName: string | undefined;
  line.take(openBrace);
  for (;;) {
    line.skipBlanks();
    if (line.take(closeBrace)) return { labels, metricName };
    const read = readItem(line, limits);
    if ("reason" in read) return read;
    if (read.value === undefined) {
      if (metricName !== undefined) return malformedLine("two names of metrics are among its labels", read.name);
      metricName = read.name;
    } else {
      if (labels.some(([name]) => name === read.name)) return repeatedLabel(read.name);
      if (labels.length >= limits.maxLabels) return tooManyLabels(limits.maxLabels);
      labels.push([read.name, read.value]);
    }
    line.skipBlanks();
    if (line.take(comma)) continue;
    if (!line.take(closeBrace)) return unexpected(line, "after a label, a comma or the closing brace must follow");
    return { labels, metricName };
  }
}

/** The same, with texts that scanners share. */
export function sharedLabelSet({ labels, metricName }: LabelSet, texts: SharedTexts): LabelSet {
  return {
    labels: labels.map(([name, value]) => [texts.shared(name), texts.shared(value)]),
    metricName: metricName === undefined ? undefined : texts.shared(metricName),
  };
}

/** A label, or the name of the metric without a value. */
function readItem(
  line: LineReader,
  limits: ExpositionLimits,
): { readonly name: string; readonly value: string | undefined } | FieldError {
  const isQuoted = line.bytes[line.at] === quote;
  const start = line.at;
  const name = isQuoted ? line.quotedText() : line.word();
  if (name === undefined) return unclosedLabels();
  if (line.at - start > limits.maxNameBytes) return tooLong("", name, limits.maxNameBytes);
  line.skipBlanks();
  if (!line.take(equalsSign)) {
    if (isQuoted) return name === "" ? invalidName("metric", name) : { name, value: undefined };
    return unexpected(line, "after the name of a label, = and a value in quotes must follow");
  }
  if (name === "" || (!isQuoted && /^\d/.test(name))) return invalidName("label", name);
  line.skipBlanks();
  if (line.bytes[line.at] !== quote) return unexpected(line, `the value of ${name} is not in quotes`);
  const valueStart = line.at;
  const value = line.quotedText();
  if (value === undefined) return unclosedLabels();
  if (line.at - valueStart - 2 > limits.maxLabelBytes) return tooLong(name, value, limits.maxLabelBytes);
  return { name, value };
}

function unexpected(line: LineReader, problem: string): FieldError {
  return malformedLine(problem, line.rest());
}
