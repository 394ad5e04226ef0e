import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { otlpReader } from "../../src/pipeline/source/otlp/otlp-reader.ts";
import { sampleOutcomes, WriteCounts } from "../../src/pipeline/source/remote-write.ts";
import { batchesOfParts } from "../../src/pipeline/source/remote-write/batches-of-parts.ts";
import { KnownExporters } from "../../src/pipeline/source/remote-write/series-batches.ts";
import { propertyRuns } from "../support/property-runs.ts";

// Each sample of remote write, and each data point of OTLP, is counted under exactly one outcome.

setDefaultTimeout(60_000);

const exporters = (): KnownExporters => new KnownExporters("cluster", systemClock);
const clusterId = "alpha";
const runs = { numRuns: propertyRuns(150) };

async function rejectedIn(batches: AsyncIterable<RecordBatch>): Promise<number> {
  let rejected = 0;
  for await (const batch of batches) rejected += batch.rejected.length;
  return rejected;
}

const countsOf = (counts: WriteCounts): Record<string, number> =>
  Object.fromEntries(sampleOutcomes.map((outcome) => [outcome, counts.of(outcome)]));

const value = fc.constantFrom(0, 0.5, 61, 250, 1e6, -7, NaN, Infinity, 2_147_483_632, 9_223_372_036_854_775_794);
const timeMs = fc.constantFrom(1_752_871_354_000, 1_752_871_364_000, 0, 90_000_000_000_000);
const identity = fc.constantFrom<Record<string, string>>(
  { "hw.id": "GPU-1", "hw.name": "GPU 1" },
  { "hw.id": "GPU-2", "hw.name": "2" },
  { "hw.id": "GPU-3", "hw.name": "3", job: "other" },
  { UUID: "GPU-4", gpu: "4", Hostname: "node-1" },
  { UUID: "GPU-\ud800", gpu: "5" },
  {},
);
const more = fc.constantFrom<Record<string, string>>(
  {},
  { "hw.type": "gpu" },
  { "hw.type": "gpu", "hw.sensor_location": "vrm" },
  { "hw.type": "gpu", "hw.sensor_location": "memory" },
  { "hw.type": "fan" },
  { "hw.gpu.task": "copy" },
);
const point = fc.record({ timeMs, value, identity, more, flags: fc.constantFrom(0, 0, 0, 1), hasValue: fc.boolean() });
const metric = fc.record({
  name: fc.constantFrom(
    "hw.power",
    "hw.energy",
    "hw.temperature",
    "hw.gpu.utilization",
    "DCGM_FI_DEV_FB_USED",
    "up",
    "",
  ),
  unit: fc.constantFrom("", "W", "hp", "J", "By", "1", "%"),
  kind: fc.constantFrom("gauge", "sum", "delta", "histogram"),
  points: fc.array(point, { maxLength: 6 }),
});

function exportOf(metrics: (typeof metric extends fc.Arbitrary<infer Metric> ? Metric : never)[]): object {
  const numberText = (number: number): number | string => (Number.isFinite(number) ? number : String(number));
  const shown = metrics.map(({ name, unit, kind, points }) => {
    const dataPoints = points.map((each) => ({
      timeUnixNano: `${each.timeMs}000000`,
      flags: each.flags,
      ...(each.hasValue ? { asDouble: numberText(each.value) } : {}),
      attributes: Object.entries({ ...each.identity, ...each.more }).map(([key, stringValue]) => {
        return { key, value: { stringValue } };
      }),
    }));
    const numbers = { dataPoints, aggregationTemporality: kind === "delta" ? 1 : 2 };
    return { name, unit, [kind === "delta" ? "sum" : kind]: numbers };
  });
  return { resourceMetrics: [{ resource: {}, scopeMetrics: [{ metrics: shown }] }] };
}

test("the outcomes of data points of OTLP add up to those that were sent, and the rejected ones to those of the answer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(metric, { maxLength: 6 }), async (metrics) => {
      const counts = new WriteCounts();
      const refused = { count: 0, message: "" };
      const bytes = new TextEncoder().encode(JSON.stringify(exportOf(metrics)));
      const body = {
        format: "json",
        packing: undefined,
        bytes: new Blob([bytes]).stream(),
        clusterId,
        counts,
        refused,
      };
      const read = otlpReader(exporters(), { maxBytes: 1e6 });
      const { batches } = read({ ...body, format: "json" }, chunk(bytes), new AbortController().signal);
      const rejected = await rejectedIn(batches);
      const sent = metrics.flatMap(({ kind, points }) => (kind === "histogram" ? [] : points)).length;
      const histograms = metrics.flatMap(({ kind, points }) => (kind === "histogram" ? points : [])).length;
      expect({ ...countsOf(counts), all: counts.samples }).toMatchObject({
        rejected: rejected + refused.count,
        all: sent,
      });
      expect(counts.histograms).toBe(histograms);
    }),
    runs,
  );
});

async function* chunk(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  yield await Promise.resolve(bytes);
}

const sample = fc.record({ value, timeMs, isStale: fc.constantFrom(false, false, true) });
const series = fc.record({
  name: fc.constantFrom("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "nvidia_smi_temperature_gpu", "up", ""),
  labels: fc
    .tuple(
      fc.constantFrom<[string, string][]>(
        [
          ["UUID", "GPU-1"],
          ["gpu", "1"],
        ],
        [
          ["UUID", "GPU-2"],
          ["gpu", "two"],
        ],
        [
          ["UUID", "GPU-2"],
          ["UUID", "GPU-3"],
        ],
        [
          ["UUID", "GPU-\ud800"],
          ["gpu", "5"],
        ],
        [
          ["uuid", "GPU-6"],
          ["gpu", "6"],
        ],
        [["gpu", "7"]],
      ),
      fc.constantFrom<[string, string][]>([], [["Hostname", "node-1"]], [["cluster", "c".repeat(2000)]], [["", "x"]]),
    )
    .map(([a, b]) => [...a, ...b]),
  samples: fc.array(sample, { maxLength: 4 }),
  histograms: fc.nat(2),
  exemplars: fc.nat(2),
});

test("the outcomes of samples of remote write add up to those that were sent, and the rejected ones are those of the quarantine", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(series, { maxLength: 12 }), async (sent) => {
      const counts = new WriteCounts();
      const parts = sent.map((each) => ({ series: each }));
      const rejected = await rejectedIn(batchesOfParts(parts, exporters(), { clusterId, counts }));
      expect({ ...countsOf(counts), all: counts.samples }).toMatchObject({
        rejected,
        all: sent.flatMap(({ samples }) => samples).length,
      });
    }),
    runs,
  );
});
