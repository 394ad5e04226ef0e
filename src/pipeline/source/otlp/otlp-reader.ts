import type { RecordBatch } from "../../../domain/batch.ts";
import type { OtlpBody } from "../otlp.ts";
import { type BodyLimits, contentBytesOf } from "../push/body-bytes.ts";
import type { ReadPush } from "../push.ts";
import { batchesOfParts } from "../remote-write/batches-of-parts.ts";
import type { KnownExporters } from "../remote-write/series-batches.ts";
import type { WrittenPart } from "../remote-write/written-series.ts";
import { metricsOfJson } from "./otlp-json.ts";
import type { OtlpMetric } from "./otlp-point.ts";
import { metricsOfProtobuf } from "./otlp-protobuf.ts";
import { seriesOf } from "./otlp-series.ts";

/** Makes the reader of exports of metrics by OTLP. Their points become series, which are read as those of remote write are. */
export function otlpReader(exporters: KnownExporters, limits: BodyLimits): ReadPush<OtlpBody> {
  return (body, bytes) => {
    const content = contentBytesOf({ bytes, packing: body.packing }, limits);
    return { unread: new Set(), batches: batchesOf(body, content, exporters) };
  };
}

async function* batchesOf(
  body: OtlpBody,
  bytes: Promise<Uint8Array>,
  exporters: KnownExporters,
): AsyncGenerator<RecordBatch, void, undefined> {
  const content = await bytes;
  const metrics = body.format === "json" ? metricsOfJson(content) : metricsOfProtobuf(content);
  yield* batchesOfParts(partsOf(metrics, body), exporters, body);
}

function* partsOf(
  metrics: Iterable<OtlpMetric>,
  { counts, refused }: OtlpBody,
): Generator<WrittenPart, void, undefined> {
  for (const metric of metrics) {
    counts.histograms += metric.histograms;
    for (const point of metric.points) {
      const series = metric.problem === undefined ? seriesOf(metric, point) : `${metric.name} ${metric.problem}`;
      if (typeof series === "string") {
        refused.count += 1;
        refused.message ||= series;
        counts.add("rejected");
      } else yield { series };
    }
  }
}
