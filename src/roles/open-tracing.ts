import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { version } from "../../package.json";
import type { Config } from "../config/parse-config.ts";
import { namedTexts } from "../config/named-texts.ts";
import type { Clock } from "../kit/clock.ts";
import { noTracing, type Tracing } from "../kit/tracing.ts";

/** The traces of a process. */
export interface OpenTracing {
  readonly tracing: Tracing;
  /** Sends the spans that wait. Never rejects. */
  close(): Promise<void>;
}

interface TracingParts {
  readonly instanceId: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Loads what sends traces, if the settings name a receiver: OpenTelemetry's packages take 40 ms of processor time and 6 MB. */
export async function loadTracing(config: Config): Promise<(parts: TracingParts) => OpenTracing> {
  const url = receiverOf(config);
  if (url === undefined || config.otelDisabled) return () => ({ tracing: noTracing, close: () => Promise.resolve() });
  const { openOtlpTracing } = await import("../traces/open-otlp-tracing.ts");
  return (parts) =>
    openOtlpTracing({
      ...parts,
      url,
      headers: namedTexts(config.otelHeaders),
      timeoutMs: config.otelTimeoutMs,
      caFile: config.otelCaFile,
      sampler: config.otelSampler,
      ratio: config.otelSamplerArg,
      resource: resourceOf(config, parts.instanceId),
      delayMs: config.otelDelayMs,
      maxQueueSize: config.otelMaxQueueSize,
    });
}

/** Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp */
function receiverOf({ otelTracesEndpoint, otelEndpoint }: Config): string | undefined {
  return otelTracesEndpoint ?? (otelEndpoint && `${otelEndpoint.replace(/\/+$/, "")}/v1/traces`);
}

/** What the settings say about the process outranks what it says itself; OTEL_SERVICE_NAME outranks both, if it is set.
 *  Source: https://opentelemetry.io/docs/specs/semconv/resource/ */
function resourceOf(config: Config, instanceId: string): Record<string, string> {
  const { otelResourceAttributes, otelServiceName, roles, clusterId } = config;
  return {
    ...{ "service.name": "gpu-telemetry-pipeline", "service.version": version, "service.instance.id": instanceId },
    ...{ "host.name": hostname(), "telemetry.roles": roles.join(","), "telemetry.cluster": clusterId },
    ...namedTexts(otelResourceAttributes),
    ...(otelServiceName === undefined ? {} : { "service.name": otelServiceName }),
  };
}
