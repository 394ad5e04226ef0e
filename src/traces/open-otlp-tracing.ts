import { readFileSync } from "node:fs";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Clock } from "../kit/clock.ts";
import { endsWithin } from "../kit/within.ts";
import { RepeatedError } from "../kit/repeated-error.ts";
import type { Tracing } from "../kit/tracing.ts";
import { CountedExport } from "./counted-export.ts";
import { countSpans } from "./export-instruments.ts";
import { OtlpTracing } from "./otlp-tracing.ts";
import type { SamplerName } from "./sampler-names.ts";

export interface OtlpTracingOptions {
  /** Where spans are sent, with its path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** PEM file with the certificates to trust instead of the machine's. */
  readonly caFile: string | undefined;
  readonly sampler: SamplerName;
  /** The share of the traces that a sampler by ratio records. */
  readonly ratio: number;
  /** What is said about the process, by the names of OpenTelemetry. */
  readonly resource: Readonly<Record<string, string>>;
  /** Spans are sent after so long, or earlier if there are many. */
  readonly delayMs: number;
  readonly maxQueueSize: number;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A receiver that does not answer must not hold up a stop. */
const closingMs = 800;
/** The most spans in a request. */
const batchMaxSpans = 512;

/** Opens traces that are sent by OTLP. Nothing that ends a span waits for the receiver. */
export function openOtlpTracing(options: OtlpTracingOptions): {
  readonly tracing: Tracing;
  /** Sends the spans that wait, and drops those that are not taken soon. Never rejects. */
  readonly close: () => Promise<void>;
} {
  const { url, timeoutMs, maxQueueSize, delayMs, clock, log, registry } = options;
  const failing = new RepeatedError({
    log,
    prefix: `spans are dropped, because they cannot be sent to ${url}`,
    ended: "spans are sent again",
  });
  const counted = new CountedExport({
    exporter: exporterOf(options),
    maxQueueSize,
    listener: countSpans(registry, failing),
  });
  const batches = new BatchSpanProcessor({
    exporter: counted,
    maxQueueSize,
    maxExportBatchSize: Math.min(batchMaxSpans, maxQueueSize),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: timeoutMs,
  });
  const provider = new TracerProvider({
    sampler: samplerOf(options),
    resource: resourceFromAttributes(options.resource),
    spanProcessors: [counted.through(batches)],
  });
  return {
    tracing: new OtlpTracing(provider.getTracer("gpu-telemetry-pipeline"), clock),
    // what cannot be sent is counted
    close: async () => void (await endsWithin(clock, closingMs, () => provider.shutdown().catch(() => undefined))),
  };
}

function exporterOf({ url, headers, timeoutMs, caFile }: OtlpTracingOptions): OTLPTraceExporter {
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
  return new OTLPTraceExporter({
    ...{ url, headers: { ...headers }, timeoutMillis: timeoutMs, concurrencyLimit: 2 },
    httpAgentOptions: { keepAlive: true, ...ca },
  });
}

function samplerOf({ sampler, ratio }: Pick<OtlpTracingOptions, "sampler" | "ratio">): Sampler {
  if (sampler.startsWith("parentbased_")) return new ParentBasedSampler({ root: rootSampler(sampler, ratio) });
  return rootSampler(sampler, ratio);
}

function rootSampler(sampler: SamplerName, ratio: number): Sampler {
  if (sampler.endsWith("always_on")) return new AlwaysOnSampler();
  return sampler.endsWith("always_off") ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}
