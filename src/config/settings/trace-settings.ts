import { Type } from "@sinclair/typebox";
import { count, path } from "../config-setting.ts";

const url = {
  pattern: "^https?://[^\\s?#]+$",
  expects: "a URL with http:// or https:// and without ? and #, such as http://collector.example.org:4318",
};
const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** The settings of traces, by the names that OpenTelemetry gives them.
 *  Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const traceSettings = {
  otelEndpoint: Type.Optional(
    Type.String({
      ...{ env: "OTEL_EXPORTER_OTLP_ENDPOINT", ...url },
      description: "Where traces are sent by OTLP/HTTP: v1/traces is appended to it; absent: no traces are made",
    }),
  ),
  otelTracesEndpoint: Type.Optional(
    Type.String({
      ...{ env: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ...url },
      description: "The same with its whole path, such as https://host/otlp/v1/traces; it outranks the other",
    }),
  ),
  otelHeaders: Type.Optional(
    Type.String({
      env: "OTEL_EXPORTER_OTLP_HEADERS",
      pattern: "^[^=,\\s]+=[^,]*(,\\s*[^=,\\s]+=[^,]*)*$",
      expects: "name=value pairs with commas between them, and values as in URLs, such as authorization=Basic%20QWxhZA",
      secret: true,
      description: "Headers of the requests that send traces",
    }),
  ),
  otelTimeoutMs: count({
    ...{ env: "OTEL_EXPORTER_OTLP_TIMEOUT", default: 10_000, minimum: 1, maximum: 600_000, unit: "ms" },
    description: "Time for sending spans, with its retries; then they are dropped",
  }),
  otelCaFile: path(
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "CA certificate (PEM) of the receiver of traces, for https; default: the system's CAs",
  ),
  otelSampler: Type.Union(
    samplers.map((name) => Type.Literal(name)),
    {
      env: "OTEL_TRACES_SAMPLER",
      default: "parentbased_always_on",
      description:
        "Which traces are recorded; parentbased_...: a push with a traceparent as its sender decided. In a large fleet: parentbased_traceidratio with OTEL_TRACES_SAMPLER_ARG=0.01",
    },
  ),
  otelSamplerArg: Type.Number({
    ...{ env: "OTEL_TRACES_SAMPLER_ARG", minimum: 0, maximum: 1, default: 1 },
    description: "The share of traces that traceidratio records",
  }),
  otelServiceName: Type.Optional(
    Type.String({
      ...{ env: "OTEL_SERVICE_NAME", minLength: 1 },
      description:
        "Name of this service in traces; absent: service.name of OTEL_RESOURCE_ATTRIBUTES, or gpu-telemetry-pipeline",
    }),
  ),
  otelResourceAttributes: Type.Optional(
    Type.String({
      env: "OTEL_RESOURCE_ATTRIBUTES",
      pattern: "^[^=,\\s]+=[^,]*(,\\s*[^=,\\s]+=[^,]*)*$",
      expects:
        "name=value pairs with commas between them, and values as in URLs, such as deployment.environment.name=lab",
      description: "What traces say about this process",
    }),
  ),
  otelDelayMs: count({
    ...{ env: "OTEL_BSP_SCHEDULE_DELAY", default: 5000, minimum: 1, maximum: 600_000, unit: "ms" },
    description: "How long spans wait to be sent together",
  }),
  otelMaxQueueSize: count({
    ...{ env: "OTEL_BSP_MAX_QUEUE_SIZE", default: 2048, minimum: 1, maximum: 1_000_000 },
    description: "The most spans that wait to be sent; more are dropped",
  }),
  otelDisabled: Type.Boolean({
    ...{ env: "OTEL_SDK_DISABLED", default: false },
    description: "Whether no traces are made although there is an endpoint",
  }),
};
