import { WireType } from "@bufbuild/protobuf/wire";
import type { Label } from "../exposition/scanned-exposition.ts";
import { MessageFields } from "../remote-write/message-fields.ts";
import { deltaProblem, deltaTemporality, noValueFlag, type OtlpMetric, type OtlpPoint } from "./otlp-point.ts";

type Found = { -readonly [Member in keyof OtlpMetric]: OtlpMetric[Member] } & { points: OtlpPoint[] };

/** Reads `ExportMetricsServiceRequest`.
 *  Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
 *  @throws UnusablePush where the message cannot be read */
export function* metricsOfProtobuf(bytes: Uint8Array): Generator<OtlpMetric, void, undefined> {
  const fields = new MessageFields(bytes, "export of metrics by OTLP");
  while (!fields.isAtEnd) {
    let metrics: OtlpMetric[] = [];
    fields.next((field) => {
      if (field === 1) metrics = resourceMetrics(fields);
      return field === 1;
    });
    yield* metrics;
  }
}

function resourceMetrics(fields: MessageFields): OtlpMetric[] {
  const resource: Label[] = [];
  const metrics: OtlpMetric[] = [];
  fields.each(fields.end(), (field) => {
    if (field === 1) readEach(fields, 1, () => readAttribute(fields, resource));
    else if (field === 2) readEach(fields, 2, () => metrics.push(metricOf(fields, resource)));
    return field <= 2;
  });
  return metrics;
}

/** Reads the elements of a message that are its field of this number. */
function readEach(fields: MessageFields, number: number, read: () => void): void {
  fields.each(fields.end(), (field) => {
    if (field === number) read();
    return field === number;
  });
}

function metricOf(fields: MessageFields, resource: readonly Label[]): OtlpMetric {
  const found: Found = { name: "", unit: "", resource, points: [], problem: undefined, histograms: 0 };
  fields.each(fields.end(), (field) => {
    if (field === 1) found.name = fields.text();
    else if (field === 3) found.unit = fields.text();
    else if (field === 5 || field === 7) readNumbers(fields, found);
    else if (field >= 9 && field <= 11) readEach(fields, 1, () => countHistogram(fields, found));
    else return false;
    return true;
  });
  return found;
}

function countHistogram(fields: MessageFields, found: Found): void {
  found.histograms += 1;
  fields.moveTo(fields.end());
}

function readNumbers(fields: MessageFields, found: Found): void {
  fields.each(fields.end(), (field) => {
    if (field === 1) found.points.push(pointOf(fields));
    else if (field === 2 && fields.number() === deltaTemporality) found.problem = deltaProblem;
    return field <= 2;
  });
}

function pointOf(fields: MessageFields): OtlpPoint {
  const attributes: Label[] = [];
  const found = { attributes, timeMs: 0, value: NaN, isNoValue: false };
  fields.each(fields.end(), (field) => {
    if (field === 3) found.timeMs = fields.nanosecondsAsMs();
    else if (field === 4) found.value = fields.double().value;
    else if (field === 6) found.value = fields.fixedInteger();
    else if (field === 7) readAttribute(fields, attributes);
    else if (field === 8) found.isNoValue = (fields.number() & noValueFlag) !== 0;
    else return false;
    return true;
  });
  return found;
}

function readAttribute(fields: MessageFields, into: Label[]): void {
  let [name, value] = ["", ""];
  fields.each(fields.end(), (field) => {
    if (field === 1) name = fields.text();
    else if (field === 2) value = valueOf(fields);
    return field <= 2;
  });
  into.push([name, value]);
}

/** A text, a truth value or a number; lists and objects are left out. */
function valueOf(fields: MessageFields): string {
  let text = "";
  fields.each(fields.end(), (field, type) => {
    if (field === 1 && type === WireType.LengthDelimited) text = fields.text();
    else if (field === 2) text = String(fields.number() !== 0);
    else if (field === 3) text = fields.integerText();
    else if (field === 4) text = String(fields.double().value);
    else return false;
    return true;
  });
  return text;
}
