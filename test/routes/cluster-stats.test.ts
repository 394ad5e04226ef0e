import { expect, test } from "bun:test";
import type { RecordFilter, StoredRecord } from "../../src/domain/query.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import type { Fleet } from "../../src/routes/fleet/fleet.ts";
import type { FleetGpu } from "../../src/routes/schemas/gpu.ts";
import { clusterStats } from "../../src/routes/resources/hierarchy/cluster-stats.ts";
import { gpuOf } from "./gateway.ts";

const newestMs = Date.UTC(2025, 6, 18, 20, 42);

/** @param records all records of the last minute, the oldest first */
function statsOver(gpus: readonly FleetGpu[], records: readonly StoredRecord[]) {
  const history = {
    records: ({ limit, cursor }: RecordFilter) => {
      const to = cursor?.gpuKey ?? records.length;
      const from = Math.max(0, to - limit);
      const next = from === 0 ? undefined : { timeMs: records[from]?.timeMs ?? NaN, gpuKey: from };
      return Promise.resolve({ elements: records.slice(from, to), next });
    },
  };
  const aggregates = { countRecords: () => Promise.resolve({ count: records.length, isEstimate: false }) };
  const newest = records.slice(-gpus.length);
  const members = gpus.map((gpu, index) => ({ gpu, record: newest[index] }));
  const fleet = { members: () => members, nowMs: () => Infinity } as unknown as Fleet;
  return clusterStats({ fleet, queries: { history, aggregates } as unknown as TelemetryQueries }, gpus);
}

const gpus = Array.from({ length: 6000 }, (_, gpuId) => ({
  ...gpuOf("wide", `host-${gpuId}`, 0),
  ...{ firstSeenAtMs: newestMs, lastSeenAtMs: newestMs, reportedAtMs: newestMs },
}));

function oneRecordPerGpu(timeMs: number, name: string, value: number): StoredRecord[] {
  return gpus.map((gpu) => ({ gpu, timeMs, metrics: { [name]: value }, custom: {}, occupants: [] }));
}

test("statistics cover every GPU's newest values of the last minute, even if they are many records back", async () => {
  const records = [
    ...oneRecordPerGpu(newestMs - 3000, "temperature", 20),
    ...oneRecordPerGpu(newestMs - 2000, "temperature", 40),
    ...oneRecordPerGpu(newestMs - 1000, "gpu_utilization", 50),
    ...oneRecordPerGpu(newestMs, "power_draw", 300),
  ];
  const stats = await statsOver(gpus, records);
  expect(stats).toMatchObject({
    temperature: { average: 40, gpu_count: 6000 },
    gpu_utilization: { average: 50, gpu_count: 6000 },
    power_draw: { average: 300, gpu_count: 6000 },
  });
  expect(stats).not.toHaveProperty("values_cut_at");
});

test("if there are too many records, values_cut_at is the instant up to which values may be missing", async () => {
  const seconds = Array.from({ length: 18 }, (_, second) =>
    oneRecordPerGpu(newestMs - 17_000 + second * 1000, "power_draw", 1),
  );
  const stats = await statsOver(gpus, [...oneRecordPerGpu(newestMs - 18_000, "temperature", 20), ...seconds.flat()]);
  // the newest 100,000 records are 16 seconds and a part of the 17th
  expect(stats).toMatchObject({ power_draw: { gpu_count: 6000 }, values_cut_at: "2025-07-18T20:41:44Z" });
  expect(stats).not.toHaveProperty("temperature");
});
