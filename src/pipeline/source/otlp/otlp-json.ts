import { decimalNumber } from "../../../domain/value-text.ts";
import { messageOf } from "../../../kit/message-of.ts";
import type { Label } from "../exposition/scanned-exposition.ts";
import { UnusablePush } from "../push.ts";
import { deltaProblem, deltaTemporality, noValueFlag, type OtlpMetric, type OtlpPoint } from "./otlp-point.ts";

type Json = Readonly<Record<string, unknown>>;

const wholeNumber = /^\d{1,20}$/;
/** Source: https://protobuf.dev/programming-guides/json/, "double" */
const notFinite = /^(?:NaN|-?Infinity)$/;

/** Reads the same message as JSON: 64-bit integers may be texts, and enumerations are numbers.
 *  Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 *  @throws UnusablePush if it is no such JSON */
export function* metricsOfJson(bytes: Uint8Array): Generator<OtlpMetric, void, undefined> {
  for (const ofResource of listIn(parsed(bytes), "resourceMetrics")) {
    const resource = attributesIn(objectIn(ofResource, "resource"));
    for (const scope of listIn(ofResource, "scopeMetrics")) {
      for (const metric of listIn(scope, "metrics")) yield metricOf(metric, resource);
    }
  }
}

function parsed(bytes: Uint8Array): Json {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isObject(value)) return value;
  } catch (error) {
    throw wrong(messageOf(error));
  }
  throw wrong("it is no object");
}

function metricOf(metric: Json, resource: readonly Label[]): OtlpMetric {
  const numbers = isObject(metric["gauge"]) ? metric["gauge"] : objectIn(metric, "sum");
  const others = ["histogram", "exponentialHistogram", "summary"].map((name) => objectIn(metric, name));
  const temporality = numbers["aggregationTemporality"];
  const isDelta = temporality === deltaTemporality || temporality === "AGGREGATION_TEMPORALITY_DELTA";
  return {
    name: textIn(metric, "name"),
    unit: textIn(metric, "unit"),
    resource,
    points: listIn(numbers, "dataPoints").map(pointOf),
    problem: isDelta ? deltaProblem : undefined,
    histograms: others.reduce((sum, other) => sum + listIn(other, "dataPoints").length, 0),
  };
}

function pointOf(point: Json): OtlpPoint {
  return {
    attributes: attributesIn(point),
    timeMs: millisecondsIn(point),
    value: numberIn(point, "asDouble") ?? numberIn(point, "asInt") ?? NaN,
    isNoValue: (Number(point["flags"] ?? 0) & noValueFlag) !== 0,
  };
}

/** A double has too few digits for nanoseconds: as a number, they are those of a microsecond. */
function millisecondsIn(point: Json): number {
  const time = point["timeUnixNano"] ?? "0";
  if (typeof time === "string" && wholeNumber.test(time)) return Number(BigInt(time) / 1_000_000n);
  if (typeof time === "number") return Math.floor(Math.round(time / 1e3) / 1e3);
  throw wrong(`timeUnixNano is no number of nanoseconds: ${JSON.stringify(time)}`);
}

function numberIn(point: Json, name: "asDouble" | "asInt"): number | undefined {
  const value = point[name] ?? undefined;
  if (value === undefined || typeof value === "number") return value;
  if (typeof value === "string" && (decimalNumber.test(value) || notFinite.test(value))) return Number(value);
  throw wrong(`${name} is no number: ${JSON.stringify(value)}`);
}

function attributesIn(holder: Json): Label[] {
  return listIn(holder, "attributes").map((attribute): Label => {
    const value = objectIn(attribute, "value");
    const [text] = ["stringValue", "boolValue", "intValue", "doubleValue"].flatMap((name) => {
      const given = value[name];
      return typeof given === "string" || typeof given === "number" || typeof given === "boolean"
        ? [String(given)]
        : [];
    });
    return [textIn(attribute, "key"), text ?? ""];
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectIn(holder: Json, name: string): Json {
  const value = holder[name] ?? {};
  if (isObject(value)) return value;
  throw wrong(`${name} is no object`);
}

function listIn(holder: Json, name: string): readonly Json[] {
  const value = holder[name] ?? [];
  if (Array.isArray(value) && value.every(isObject)) return value;
  throw wrong(`${name} is no list of objects`);
}

function textIn(holder: Json, name: string): string {
  const value = holder[name] ?? "";
  if (typeof value === "string") return value;
  throw wrong(`${name} is no text`);
}

const wrong = (reason: string): UnusablePush =>
  new UnusablePush("malformed", `The body is no export of metrics by OTLP: ${reason}`);
