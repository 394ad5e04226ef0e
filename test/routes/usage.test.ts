import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { gpuPricesOf } from "../../src/domain/usage/prices.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { SqlTelemetryQueries } from "../../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { gatewayOver } from "./gateway.ts";

// A GPU that a pod holds for an hour, idle for half of it, and that is free afterwards; another one that a job holds.

setDefaultTimeout(60_000);

const begin = Date.UTC(2025, 6, 18, 14);
const minute = 60_000;
let opened: OpenStore;
let gateway: ReturnType<typeof gatewayOver>;

beforeAll(async () => {
  opened = await openMemoryStore();
  const minutes = Array.from({ length: 121 }, (_, index) => index);
  const records = minutes.flatMap((index) => [
    {
      ...{ uuid: "GPU-a", hostname: "host-a", timeMs: begin + index * minute, properties: {} },
      ...(index < 60 ? { workload: { namespace: "team", pod: "trainer-0", container: "main" } } : {}),
      metrics: { gpu_utilization: index < 30 ? 80 : 0, power_draw: 600, sm_active: 0.5, memory_used_mb: 1000 },
    },
    {
      ...{ uuid: "GPU-b", hostname: "host-b", modelName: "NVIDIA A100", timeMs: begin + index * minute },
      ...{ properties: { hpc_job: "4711", userid: "ada" }, metrics: { gpu_utilization: 50 } },
    },
  ]);
  await opened.store.ingest(messageOf("usage", makeBatch(records)));
  const prices = { gpuHour: gpuPricesOf("NVIDIA H100=2; *=1"), kilowattHour: 0.5, currency: "EUR" };
  const queries = new SqlTelemetryQueries(opened.client, undefined, {
    ...{ activePercent: 5, effectivePercent: 5 },
    prices,
  });
  gateway = gatewayOver(opened, { queries });
});
afterAll(() => opened.close());

const window = "start_time=2025-07-18T14:00:00Z&end_time=2025-07-18T17:00:00Z";
interface Answer {
  readonly start_time: string;
  readonly end_time: string;
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly next_cursor?: string;
}
const dataOf = async (path: string): Promise<Answer> => {
  const answer = await gateway.get(path);
  const body = (await answer.json()) as Answer;
  expect([path, answer.status]).toEqual([path, 200]);
  return body;
};

test("usage by namespace has the hours, energy and cost of what is held and idle", async () => {
  const { data } = await dataOf(`/api/v1/usage?${window}`);
  const [free, team] = data;
  expect(team).toMatchObject({
    ...{ namespace: "team", devices: 1, allocated_seconds: 3600, active_seconds: 1800, idle_seconds: 1800 },
    ...{ idle_hours: 0.5, effective_seconds: 3600, effective_by: "sm", energy_by: "power" },
    // 600 W; half an hour of it idle, at 2 EUR an hour and 0.50 EUR a kWh
    ...{ energy_kwh: 0.6, idle_energy_kwh: 0.3, cost: 2.3, idle_cost: 1.15, currency: "EUR" },
    // the mean of the time between records of the hour
    ...{ utilization_mean: 40.678, utilization_max: 80, memory_mean_mb: 1000, power_mean: 600 },
  });
  expect(free).toMatchObject({ namespace: "", unallocated_seconds: 3600, allocated_seconds: 7200, unknown_seconds: 0 });
  expect(data).toHaveLength(2);
});

test("usage is filtered by user, and a page leads to the next one", async () => {
  const { data } = await dataOf(`/api/v1/usage?${window}&group_by=job&user=ada`);
  expect(data).toEqual([expect.objectContaining({ job: "4711", allocated_seconds: 7200, unallocated_seconds: 0 })]);
  const hours: unknown[] = [];
  let cursor = "";
  for (let page = 0; page < 9; page += 1) {
    const answer = await dataOf(`/api/v1/usage?${window}&group_by=device&step=hour&limit=1${cursor}`);
    hours.push(...answer.data.map(({ timestamp, uuid, allocated_seconds }) => [timestamp, uuid, allocated_seconds]));
    if (answer.next_cursor === undefined) break;
    cursor = `&cursor=${answer.next_cursor}`;
  }
  expect(hours).toEqual([
    ["2025-07-18T14:00:00Z", "GPU-a", 3600],
    ["2025-07-18T14:00:00Z", "GPU-b", 3600],
    ["2025-07-18T15:00:00Z", "GPU-a", 0],
    ["2025-07-18T15:00:00Z", "GPU-b", 3600],
  ]);
});

test("a page of sums over a range leads to the next one, although the beginning of the range has moved meanwhile", async () => {
  const pages = `/api/v1/usage?end_time=2025-07-18T17:00:00Z&group_by=device&limit=1`;
  const first = await dataOf(`${pages}&start_time=2025-07-18T14:00:00Z`);
  const second = await dataOf(`${pages}&start_time=2025-07-18T15:00:00Z&cursor=${first.next_cursor}`);
  expect([first, second].map(({ data }) => data.map(({ uuid }) => uuid))).toEqual([["GPU-a"], ["GPU-b"]]);
  expect(second.next_cursor).toBeUndefined();
});

test.each([
  ["from 14:00 to 15:00: one hour", "T14:00:00Z", "T15:00:00Z", "T14:00:00Z", "T15:00:00Z", 3600],
  ["up to an instant within an hour: all of it", "T14:20:00Z", "T15:00:00.0001Z", "T14:00:00Z", "T16:00:00Z", 7200],
  ["an instant: its hour", "T15:00:00Z", "T15:00:00Z", "T15:00:00Z", "T16:00:00Z", 3600],
] as const)("usage counts whole hours, and says which: %s", async (_, start, end, from, to, seconds) => {
  const day = "2025-07-18";
  const range = `start_time=${day}${start}&end_time=${day}${end}`;
  const hours = { start_time: `${day}${from}`, end_time: `${day}${to}` };
  expect(await dataOf(`/api/v1/usage?${range}&group_by=job&user=ada`)).toMatchObject({
    ...hours,
    data: [{ allocated_seconds: seconds }],
  });
  expect(await dataOf(`/api/v1/usage/jobs?${range}&user=ada`)).toMatchObject({
    ...hours,
    data: [{ allocated_seconds: seconds }],
  });
});

test("usage says that a range begins later than asked: no records are older", async () => {
  const answer = await dataOf("/api/v1/usage?start_time=1900-01-01T00:00:00Z&end_time=2025-07-18T17:00:00Z");
  expect([answer.start_time, answer.data[0]?.["timestamp"]]).toEqual(["1999-12-31T00:00:00Z", answer.start_time]);
});

test("a pod or job has a footprint when it has ended", async () => {
  const { data } = await dataOf(`/api/v1/usage/jobs?start_time=2025-07-18T12:00:00Z&end_time=2025-07-18T17:00:00Z`);
  expect(data).toEqual([
    expect.objectContaining({ namespace: "", pod: "", job: "4711", user: "ada", ended: true, complete: true }),
    expect.objectContaining({
      ...{ namespace: "team", pod: "trainer-0", job: "", ended: true, complete: true, uuids: ["GPU-a"] },
      ...{
        start_time: "2025-07-18T14:00:00Z",
        end_time: "2025-07-18T15:00:00Z",
        utilization_mean: 40.678,
        power_max: 600,
      },
    }),
  ]);
  expect((await dataOf(`/api/v1/usage/jobs?${window}&ended=no`)).data).toEqual([]);
});

test("who held a GPU at 14:05, and from when until when", async () => {
  const holder = { namespace: "team", pod: "trainer-0", container: "main" };
  const { data } = await dataOf("/api/v1/gpus/GPU-a/holders?at=2025-07-18T14:05:00Z");
  expect(data).toEqual([expect.objectContaining({ state: "held", holders: [holder] })]);
  const spans = await dataOf(`/api/v1/gpus/GPU-a/holders?${window}`);
  expect(spans.data.map(({ from, to, state }) => [from, to, state])).toEqual([
    ["2025-07-18T14:00:00Z", "2025-07-18T15:00:00Z", "held"],
    ["2025-07-18T15:00:00Z", "2025-07-18T16:00:00Z", "free"],
  ]);
  expect((await gateway.get("/api/v1/gpus/GPU-none/holders")).status).toBe(404);
});

test("usage is CSV and GraphQL, too", async () => {
  const csv = await (await gateway.get(`/api/v1/usage?${window}`, { headers: { accept: "text/csv" } })).text();
  expect(csv.split("\n")[0]).toStartWith("timestamp,namespace,devices,allocated_seconds");
  const range = 'startTime: "2025-07-18T14:00:00Z", endTime: "2025-07-18T17:00:00Z"';
  const query = `{ usage(groupBy: total, ${range}) { startTime endTime rows { devices allocatedSeconds } } gpuHolders(uuid: "GPU-b", at: "2025-07-18T14:05:00Z") { job user } }`;
  const answer = await gateway.get("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  expect(await answer.json()).toEqual({
    data: {
      usage: {
        startTime: "2025-07-18T14:00:00Z",
        endTime: "2025-07-18T17:00:00Z",
        rows: [{ devices: 2, allocatedSeconds: 10_800 }],
      },
      gpuHolders: [{ job: "4711", user: "ada" }],
    },
  });
});
