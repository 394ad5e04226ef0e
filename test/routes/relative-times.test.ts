import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { instants } from "../fuzz/openapi/parameter-values.ts";
import { readTime, timePattern } from "../../src/routes/http/parameters/relative-time.ts";
import { readMessage } from "../../src/routes/live/read-message.ts";
import { gatewayOver, gpuOf, openFleetStore, type TestGateway } from "./gateway.ts";

const startedAtMs = Date.now();
const hourMs = 3_600_000;

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  const ages = [0.5, 5, 50];
  stored = await openFleetStore(
    ages.map((hours, index) => ({
      gpu: gpuOf("alpha", "host-r", index),
      timeMs: Math.floor(startedAtMs - hours * hourMs),
      values: { temperature: index, power_draw: 100 },
    })),
  );
  gateway = gatewayOver(stored);
});
afterAll(() => stored.close());

test("a time from now has a sign, a number and a unit; now is now", () => {
  const nowMs = Date.UTC(2025, 6, 18, 12);
  for (const [text, expected] of [
    ["now", 0],
    ["-90s", -90_000],
    ["-15m", -900_000],
    ["-1h", -hourMs],
    ["now-1h", -hourMs],
    ["-7d", -168 * hourMs],
    ["-2w", -336 * hourMs],
    ["+250ms", 250],
    ["now+1d", 24 * hourMs],
    [" 1h", hourMs],
  ] as const)
    expect([text, readTime(text, nowMs)]).toEqual([text, { ms: nowMs + expected, isRounded: false, text }]);
  for (const text of ["", "-", "1h", "-1", "-1y", "-h", "now-", "-1.5h", "yesterday", "now 1", "--1h", "-9999999999h"])
    expect([text, "problem" in readTime(text, nowMs)]).toEqual([text, true]);
  expect("problem" in readTime("-999999999w", nowMs)).toBe(false);
});

test("every path takes times from now where it takes times", async () => {
  const range = "start_time=-1h&end_time=now";
  for (const path of [
    ...["/api/v1/telemetry?", "/api/v1/telemetry/latest?", "/api/v1/gpus/GPU-host-r-0/telemetry?", "/api/v1/faults?"],
    ...["/api/v1/telemetry/aggregates?group_by=host&", "/api/v1/usage?", "/api/v1/usage/jobs?", "/api/v1/coverage?"],
    ...["/api/v1/gpus/GPU-host-r-0/changes?", "/api/v1/gpus/GPU-host-r-0/holders?", "/api/v1/metrics/series?"],
    "/api/v1/clusters/alpha/hosts/host-r/gpus/0/metrics?",
  ])
    expect([path, (await gateway.get(path + range)).status]).toEqual([path, 200]);
  const wrong = await gateway.get("/api/v1/telemetry?start_time=yesterday");
  expect(await wrong.text()).toContain("or a time from now, such as -1h, -7d or now");
});

test("a subscription takes a time from now as its beginning", () => {
  const errorOf = (since: string) => "error" in readMessage(JSON.stringify({ type: "subscribe", since }));
  expect(["-15m", "now", "15m"].map(errorOf)).toEqual([false, false, true]);
});

test("records are chosen by times from now, over REST and GraphQL, and newest records are not taken from a cache", async () => {
  for (const [bounds, count] of [
    ["start_time=-1h", 1],
    ["start_time=-6h&end_time=now", 2],
    ["start_time=-7d&end_time=-1h", 2],
  ] as const) {
    for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest"])
      expect([path, bounds, (await gateway.json(`${path}?${bounds}`))["count"]]).toEqual([path, bounds, count]);
  }
  const query = '{ telemetry(startTime: "-6h", endTime: "now") { records { uuid } } }';
  const answer = (await gateway.json(`/graphql?query=${encodeURIComponent(query)}`)) as {
    data: { telemetry: { records: unknown[] } };
  };
  expect(answer.data.telemetry.records.length).toBe(2);
  // a record leaves the range although the fleet does not change
  const age = Date.now() - startedAtMs + 0.5 * hourMs;
  const path = `/api/v1/telemetry/latest?start_time=-${Math.ceil(age) + 300}ms`;
  expect((await gateway.json(path))["count"]).toBe(1);
  await Bun.sleep(400);
  expect((await gateway.json(path))["count"]).toBe(0);
});

test("the document's pattern of a time has what is read, and nothing else but days and times that do not exist", () => {
  const pattern = new RegExp(timePattern, "u");
  const impossible = /there is no such|has no day|there is no month/;
  const texts = fc.oneof(fc.stringMatching(pattern), fc.constantFrom(...instants), fc.string());
  const check = (text: string): void => {
    const read = readTime(text);
    const problem = "problem" in read ? read.problem : undefined;
    const isTaken = problem === undefined || impossible.test(problem);
    expect([text, problem, pattern.test(text)]).toEqual([text, problem, isTaken]);
  };
  instants.forEach(check);
  fc.assert(fc.property(texts, check));
});
