import { describe, expect, test } from "bun:test";
import { metrics } from "../../src/domain/metrics.ts";
import { firstSecondMs, gatewayOver, gpuOf, openFleetStore } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

const a0 = "/api/v1/gpus/GPU-host-a-0/telemetry";

async function timesOf(path: string): Promise<string[]> {
  const { data } = await running.gateway.json(path);
  return (data as { timestamp: string }[]).map(({ timestamp }) => timestamp);
}

describe("a GPU's telemetry", () => {
  test("lists the GPU's records by time, each with only the metrics that were measured", async () => {
    const body = await running.gateway.json(a0);
    expect(body).toMatchObject({ success: true, count: 4 });
    const [first, second] = body.data as unknown[];
    const identity = {
      gpu_id: "0",
      uuid: "GPU-host-a-0",
      device: "nvidia0",
      model_name: "NVIDIA H100 80GB HBM3",
      hostname: "host-a",
      cluster_id: "alpha",
    };
    expect(first).toEqual({
      telemetry_id: "host-a_0_1752871354",
      timestamp: "2025-07-18T20:42:34Z",
      ...identity,
      gpu_utilization: 85.5,
      power_draw: 320.1,
    });
    expect(second).toEqual({
      telemetry_id: "host-a_0_1752871355",
      timestamp: "2025-07-18T20:42:35Z",
      ...identity,
      temperature: 72,
      memory_used_mb: 62560,
      memory_free_mb: 17920,
    });
  });

  test("a value of 0 is not a missing value", async () => {
    expect(
      await running.gateway.json(`${a0}?start_time=2025-07-18T20:42:36Z&end_time=2025-07-18T20:42:36Z`),
    ).toMatchObject({
      count: 1,
      data: [{ dec_utilization: 0 }],
    });
  });

  test("a record has its milliseconds, its metrics outside the catalogue and its workload", async () => {
    const { data } = await running.gateway.json(`${a0}?limit=1`);
    expect(data).toEqual([
      expect.objectContaining({
        telemetry_id: "host-a_0_1752871357.250",
        timestamp: "2025-07-18T20:42:37.250Z",
        sm_clock_mhz: 1980,
        custom: { DCGM_FI_DEV_FAN_SPEED: 33 },
        container: "train",
        pod: "job-1",
        namespace: "ml",
      }),
    ]);
  });

  test("both bounds are inclusive, and exact even below a millisecond", async () => {
    const [s34, s35, s36] = ["2025-07-18T20:42:34Z", "2025-07-18T20:42:35Z", "2025-07-18T20:42:36Z"] as const;
    expect(await timesOf(`${a0}?start_time=${s34}&end_time=${s36}`)).toEqual([s34, s35, s36]);
    expect(await timesOf(`${a0}?start_time=${s35}&end_time=${s35}`)).toEqual([s35]);
    expect(await timesOf(`${a0}?start_time=2025-07-18T20:42:34.000000001Z&end_time=${s36}`)).toEqual([s35, s36]);
    expect(await timesOf(`${a0}?start_time=${s35}&end_time=2025-07-18T20:42:35.999999999Z`)).toEqual([s35]);
    expect(await timesOf(`${a0}?end_time=${s34}`)).toEqual([s34]);
  });

  test("bounds may have any zone, and may be far from every record", async () => {
    expect(await timesOf(`${a0}?end_time=2025-07-18T22:42:34%2B02:00`)).toEqual(["2025-07-18T20:42:34Z"]);
    expect(await timesOf(`${a0}?end_time=2025-07-18t15:12:34-05:30`)).toEqual(["2025-07-18T20:42:34Z"]);
    expect(await timesOf(`${a0}?start_time=0001-01-01T00:00:00Z&end_time=9999-12-31T23:59:59Z`)).toHaveLength(4);
    expect(await timesOf(`${a0}?end_time=0001-01-01T00:00:00Z`)).toEqual([]);
    expect(await timesOf(`${a0}?start_time=9999-12-31T23:59:59Z`)).toEqual([]);
  });

  test("the limit selects the newest records, in order of time", async () => {
    expect(await timesOf(`${a0}?limit=2`)).toEqual(["2025-07-18T20:42:36Z", "2025-07-18T20:42:37.250Z"]);
    expect(await timesOf(`${a0}?limit=1&end_time=2025-07-18T20:42:36Z`)).toEqual(["2025-07-18T20:42:36Z"]);
    expect(await timesOf(`${a0}?limit=10000`)).toHaveLength(4);
  });

  test("a time range without records gives an empty list, not 404", async () => {
    expect(await running.gateway.json(`${a0}?end_time=2020-01-01T00:00:00Z`)).toEqual({
      success: true,
      count: 0,
      resolution: "raw",
      data: [],
    });
  });

  test("the same records are found by the GPU's place in the hierarchy", async () => {
    const byPlace = "/api/v1/clusters/alpha/hosts/host-a/gpus/0/metrics";
    expect(await running.gateway.json(byPlace)).toEqual(await running.gateway.json(a0));
    expect(await running.gateway.json(`${byPlace}?limit=1`)).toEqual(await running.gateway.json(`${a0}?limit=1`));
  });

  test("limit is 100 by default", async () => {
    const longStore = await openFleetStore(
      Array.from({ length: 101 }, (_, second) => ({
        gpu: gpuOf("c", "h", 0),
        timeMs: firstSecondMs + second * 1000,
        values: { temperature: second },
      })),
    );
    const long = gatewayOver(longStore);
    const { count, data } = await long.json("/api/v1/gpus/GPU-h-0/telemetry");
    expect(count).toBe(100);
    expect((data as unknown[])[0]).toMatchObject({ temperature: 1 });
    expect(await long.json("/api/v1/gpus/GPU-h-0/telemetry?limit=101")).toMatchObject({ count: 101 });
    await longStore.close();
  });
});

describe("telemetry of all GPUs", () => {
  test("is ordered by time over all clusters, within bounds and limit", async () => {
    const times = await timesOf("/api/v1/telemetry");
    expect(times).toHaveLength(7);
    expect(times).toEqual(times.toSorted((a, b) => Date.parse(a) - Date.parse(b)));
    expect(await timesOf("/api/v1/telemetry?limit=2")).toEqual(["2025-07-18T20:42:37Z", "2025-07-18T20:42:37.250Z"]);
    expect(await timesOf("/api/v1/telemetry?end_time=2024-12-31T00:00:00Z")).toEqual(["2024-07-18T00:00:00Z"]);
  });

  test("the latest telemetry has one record per GPU, ordered by time, within bounds and limit", async () => {
    const { data } = await running.gateway.json("/api/v1/telemetry/latest");
    expect((data as { uuid: string }[]).map(({ uuid }) => uuid)).toEqual([
      "GPU/x y+%é",
      "GPU-host-b-0",
      "GPU-host-a-1",
      "GPU-host-a-0",
    ]);
    expect(await timesOf("/api/v1/telemetry/latest?limit=1")).toEqual(["2025-07-18T20:42:37.250Z"]);
    const range = "start_time=2025-07-18T20:40:34Z&end_time=2025-07-18T20:42:37Z";
    expect(await timesOf(`/api/v1/telemetry/latest?${range}`)).toEqual([
      "2025-07-18T20:40:34Z",
      "2025-07-18T20:42:37Z",
    ]);
  });
});

describe("metrics and rejected inputs", () => {
  test("the catalogue lists every metric with unit, range and DCGM's name", async () => {
    const { count, data } = await running.gateway.json("/api/v1/metrics");
    expect(count).toBe(metrics.length);
    expect(data).toContainEqual({
      name: "temperature",
      dcgm_field: "DCGM_FI_DEV_GPU_TEMP",
      dcgm_field_id: 150,
      unit: "celsius",
      kind: "gauge",
      min: -40,
      max: 150,
      scope: "board",
      fold: "max",
      description: "GPU temperature",
      spellings: expect.arrayContaining([
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_GPU_TEMP_CELSIUS",
        "temperature.gpu",
      ]) as unknown,
    });
  });

  test("the quarantine lists the rejected inputs of all sources or of one, with position and reason", async () => {
    const { count, data } = await running.gateway.json("/api/v1/quarantine");
    expect(count).toBe(2);
    expect(data).toContainEqual({
      id: expect.any(Number) as unknown,
      source_id: "csv:fleet.csv",
      line: 17,
      byte: 1700,
      reason: "value_out_of_range",
      field: "value",
      value: "345",
      message: 'The value "345" of temperature is outside its range: -40 to 150 celsius.',
      raw: "a,row,as,it,was",
      seen_at: expect.stringMatching(/Z$/) as unknown,
    });
    expect(await running.gateway.json("/api/v1/quarantine?limit=1")).toMatchObject({ count: 1 });
    expect(await running.gateway.json("/api/v1/quarantine?source_id=csv:fleet.csv")).toMatchObject({ count: 2 });
    expect(await running.gateway.json("/api/v1/quarantine?source_id=csv:other.csv")).toMatchObject({ count: 0 });
  });
});
