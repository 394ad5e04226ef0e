import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { SourceReading } from "../../src/domain/reading.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

const startMs = Date.UTC(2025, 6, 18, 20);
const intervalMs = 900_000;
const range = "start_time=2025-07-18T20:10:00Z&end_time=2025-07-18T21:00:00Z";
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored);
  const uuids = ["GPU-1", "GPU-2"];
  for (const [index, present] of [uuids, uuids.slice(1), [], uuids].entries()) {
    const timeMs = startMs + index * intervalMs;
    const records = present.map((uuid) => {
      return { uuid, timeMs, clusterId: "lab", hostname: "gpu-01", metrics: { temperature: 30 } };
    });
    const reading: SourceReading =
      present.length === 0
        ? { timeMs, intervalMs, outcome: "missed", reason: "timeout", message: "no answer in 10 s", count: 1 }
        : { timeMs, intervalMs, outcome: "read", count: 1, ...(index > 0 && { frozen: 1, frozenDevices: ["GPU-2"] }) };
    const batch = { ...makeBatch(records), reading };
    await stored.store.ingest(messageOf(`scrape ${index}`, batch, { source: "scrape:lab:gpu-01:9400" }));
  }
});
afterAll(() => stored.close());

describe("coverage", () => {
  const host = {
    ...{ timestamp: "2025-07-18T20:00:00Z", cluster_id: "lab", hostname: "gpu-01", devices: 2 },
    ...{
      expected: 8,
      received: 5,
      missing: 3,
      missed: { timeout: 2, absent: 1 },
      maintenance: 0,
      late: 5,
      frozen: 2,
      quarantined: 0,
    },
    ...{ basis: "schedule", interval_seconds: 900 },
  };

  test("has what was expected of a host in the hours of the range, not in one that begins with its end, and why readings are missing", async () => {
    const answer = await gateway.json(`/api/v1/coverage?by=host&cluster_id=lab&${range}`);
    expect(answer).toEqual({ success: true, count: 1, total: 1, data: [host] });
  });

  test("of a device that was missing from a reading counts that as absent", async () => {
    const { data } = await gateway.json(`/api/v1/coverage?by=device&cluster_id=lab&${range}`);
    expect(data).toMatchObject([
      { uuid: "GPU-1", expected: 4, received: 2, missed: { timeout: 1, absent: 1 } },
      { uuid: "GPU-2", expected: 4, received: 3, missed: { timeout: 1 } },
    ]);
  });

  test("of a device has the readings in which the exporter repeated its values", async () => {
    const { data } = await gateway.json(`/api/v1/coverage?by=device&cluster_id=lab&${range}`);
    expect(data).toMatchObject([
      { uuid: "GPU-1", frozen: 0 },
      { uuid: "GPU-2", frozen: 2 },
    ]);
  });

  test("of a range without an end has the hours since then, in which nobody reported anything: 0 of what was expected", async () => {
    const path = `/api/v1/coverage?by=target&cluster_id=lab&start_time=2025-07-18T20:00:00Z&limit=2`;
    const { data, next_cursor: cursor } = await gateway.json(path);
    expect(data).toMatchObject([
      { source_id: "scrape:lab:gpu-01:9400", expected: 4, received: 3, missed: { timeout: 1 } },
      { expected: 4, received: 0, missed: { unreported: 4 } },
    ]);
    expect((await gateway.json(`${path}&cursor=${String(cursor)}`))["data"]).toMatchObject([
      { timestamp: "2025-07-18T22:00:00Z" },
      { timestamp: "2025-07-18T23:00:00Z" },
    ]);
  });

  test("is the same in GraphQL, and rows in CSV and NDJSON", async () => {
    const query = `{ coverage(by: host, clusterId: "lab", startTime: "2025-07-18T20:00:00Z", endTime: "2025-07-18T20:30:00Z")
      { rows { hostname expected received missed { name value } basis } nextCursor } }`;
    expect(await gateway.json(`/graphql?query=${encodeURIComponent(query)}`)).toEqual({
      data: {
        coverage: {
          rows: [
            {
              ...{ hostname: "gpu-01", expected: 8, received: 5, basis: "schedule" },
              missed: [
                { name: "timeout", value: 2 },
                { name: "absent", value: 1 },
              ],
            },
          ],
          nextCursor: null,
        },
      },
    });
    const path = `/api/v1/coverage?by=host&cluster_id=lab&${range}`;
    const ndjson = await gateway.get(path, { headers: { accept: "application/x-ndjson" } });
    expect(await ndjson.text()).toBe(`${JSON.stringify(host)}\n`);
    const csv = await gateway.get(path, { headers: { accept: "text/csv" } });
    expect((await csv.text()).split("\n")[1]).toBe(
      '2025-07-18T20:00:00Z,lab,gpu-01,2,8,5,3,"{""timeout"":2,""absent"":1}",0,5,2,0,schedule,900',
    );
  });

  test("stands beside every aggregate, and is the same there; of a file, too", async () => {
    const path = "/api/v1/telemetry/aggregates?resolution=1h&metrics=temperature&start_time=2025-07-18T00:00:00Z";
    const of = async (group: string, cluster: string) =>
      (await gateway.json(`${path}&end_time=2025-07-19T00:00:00Z&group_by=${group}&cluster_id=${cluster}`))["data"];
    const host = { metrics: { temperature: { count: 5 } }, expected: 8 };
    expect(await of("host", "lab")).toMatchObject([host]);
    expect(await of("model", "lab")).toMatchObject([host]);
    expect(await of("gpu", "lab")).toMatchObject([
      { metrics: { temperature: { count: 2 } }, expected: 4 },
      { metrics: { temperature: { count: 3 } }, expected: 4 },
    ]);
    const coverage = `/api/v1/coverage?by=host&cluster_id=alpha&${range}`;
    const expectedOf = (rows: unknown) => (rows as { expected?: number }[]).map(({ expected }) => expected);
    const ofFile = expectedOf((await gateway.json(coverage))["data"]);
    expect(ofFile).not.toContain(undefined);
    expect(expectedOf(await of("host", "alpha"))).toEqual(ofFile);
  });

  test("with a start after its end is an error", async () => {
    const { error } = await gateway.json(
      "/api/v1/coverage?start_time=2025-07-18T21:00:00Z&end_time=2025-07-18T20:00:00Z",
    );
    expect(error).toMatchObject({ code: "invalid_parameter" });
  });
});
