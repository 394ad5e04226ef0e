import { afterAll, beforeAll, expect, test } from "bun:test";
import { LiveClient } from "../live/live-gateway.ts";
import { type DeviceGateway, openDeviceGateway } from "./device-gateway.ts";

let gateway: DeviceGateway;
beforeAll(async () => {
  gateway = await openDeviceGateway([
    { metric: "DCGM_FI_DEV_SM_CLOCK_HERTZ", value: "1980000000" },
    { metric: "DCGM_FI_DEV_GPU_TEMP_CELSIUS", value: "60" },
    { metric: "DCGM_EXP_XID_ERRORS_COUNT", value: "4", more: ',xid="31"' },
  ]);
});
afterAll(() => gateway.close());

const chosen = (metrics: string) =>
  gateway.data(`/api/v1/telemetry?metrics=${encodeURIComponent(metrics)}`) as Promise<Record<string, unknown>[]>;

test("requests name a metric in any spelling, and answers have it under its own name and in its own unit", async () => {
  for (const name of ["sm_clock_mhz", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_SM_CLOCK_HERTZ", "clocks.sm [MHz]"]) {
    const [record] = await chosen(name);
    expect(record).toMatchObject({ sm_clock_mhz: 1980 });
    expect(Object.keys(record ?? {})).not.toContain("temperature");
    expect(Object.keys(record ?? {})).not.toContain(name === "sm_clock_mhz" ? "" : name);
  }
  const [both] = await chosen("dcgm_gpu_temp,temperature,nvidia_smi_temperature_gpu");
  expect(both).toMatchObject({ temperature: 60 });
});

test("a selector of series and the list of series take any spelling", async () => {
  const series = 'xid_errors{xid="31"}';
  expect(await chosen('DCGM_EXP_XID_ERRORS_COUNT{xid="31"}')).toMatchObject([{ custom: { [series]: 4 } }]);
  expect(await gateway.data("/api/v1/metrics/series?metric=DCGM_EXP_XID_ERRORS_COUNT")).toMatchObject([
    { name: series },
  ]);
});

test("aggregates and GraphQL take any spelling that GraphQL allows", async () => {
  const path = "/api/v1/telemetry/aggregates?group_by=cluster";
  const rest = await gateway.data(
    `${path}&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z&metrics=DCGM_FI_DEV_SM_CLOCK_HERTZ,clocks.sm`,
  );
  expect(JSON.stringify(rest)).toContain('"sm_clock_mhz":{');
  const answer = await gateway.ask(
    `{ aggregates(groupBy: cluster, metrics: [DCGM_FI_DEV_SM_CLOCK_HERTZ, sm_clock_mhz], startTime: "2025-07-18T20:00:00Z",
      endTime: "2025-07-18T21:00:00Z") { rows { metrics { name avg } } } }`,
  );
  expect(answer).toMatchObject({ aggregates: { rows: [{ metrics: [{ name: "sm_clock_mhz", avg: 1980 }] }] } });
});

test("a subscription takes any spelling", async () => {
  const client = await LiveClient.open(gateway);
  const filters = { metrics: ["DCGM_FI_DEV_SM_CLOCK_HERTZ", "temperature.gpu"] };
  await client.ask({ type: "subscribe", filters });
  const update = await client.next();
  expect(update).toMatchObject({ data: { sm_clock_mhz: 1980, temperature: 60 } });
  client.close();
});

test("the catalogue lists the spellings of each metric", async () => {
  const metrics = (await gateway.data("/api/v1/metrics")) as { name: string; spellings: string[] }[];
  expect(metrics.find(({ name }) => name === "memory_used_mb")?.spellings).toEqual(
    expect.arrayContaining(["DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_USED_BYTES", "dcgm_fb_used", "memory.used [MiB]"]),
  );
});
