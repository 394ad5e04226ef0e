import { expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { gatewayOver, gpuOf, openFleetStore } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

type Row = Readonly<Record<string, unknown>>;

interface List {
  readonly count: number;
  readonly total?: number;
  readonly next_cursor?: string;
  readonly data: readonly Row[];
}

const listOf = async (path: string): Promise<List> => (await running.gateway.json(path)) as unknown as List;
const as = (path: string, accept: string): Promise<Response> => running.gateway.get(path, { headers: { accept } });

const lists = [
  ...["/api/v1/gpus", "/api/v1/hosts", "/api/v1/hosts/host-a/gpus", "/api/v1/clusters", "/api/v1/clusters/alpha/hosts"],
  ...["/api/v1/clusters/alpha/hosts/host-a/gpus", "/api/v1/telemetry", "/api/v1/telemetry/latest"],
  "/api/v1/telemetry/aggregates?group_by=host&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z",
  ...["/api/v1/metrics", "/api/v1/metrics/series", "/api/v1/quarantine", "/api/v1/faults/rules", "/api/v1/faults/xids"],
  ...["/api/v1/inventory", "/api/v1/gpus/GPU-host-a-0/telemetry"],
  "/api/v1/usage?start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z",
];
const emptyLists = [
  ...["/api/v1/faults", "/api/v1/silences", "/api/v1/targets", "/api/v1/pipeline/dead-letters", "/api/v1/usage/jobs"],
];

test("every list is NDJSON and CSV as well, with the rows of the JSON answer", async () => {
  for (const path of lists) {
    const { data } = await listOf(path);
    expect([path, data.length > 0]).toEqual([path, true]);
    const lines = (await (await as(path, "application/x-ndjson")).text()).trimEnd().split("\n");
    expect([path, lines.map((line) => JSON.parse(line) as Row)]).toEqual([path, [...data]]);
    const table: string[][] = parse(await (await as(path, "text/csv; charset=utf-8")).text());
    expect([path, table.length]).toEqual([path, data.length + 1]);
  }
  for (const path of emptyLists) {
    expect([path, await (await as(path, "application/jsonl")).text()]).toEqual([path, ""]);
    const table: string[][] = parse(await (await as(path, "text/csv")).text());
    expect([path, table.length, table[0]?.length]).not.toEqual([path, 1, 0]);
  }
});

test("a CSV has a column for what a row has a value of, for what is asked for, and no other", async () => {
  for (const path of lists) {
    const { data } = await listOf(path);
    const [header = []]: string[][] = parse(await (await as(path, "text/csv")).text());
    if (path.includes("/aggregates")) continue; // its table is flat
    const filled = new Set(data.flatMap((row) => Object.keys(row)));
    expect([path, [...filled].filter((name) => !header.includes(name))]).toEqual([path, []]);
    expect([path, header.includes("pcie_replay_total"), header.includes("mig_profile")]).toEqual([path, false, false]);
  }
  const asked = await (await as("/api/v1/telemetry/latest?metrics=pcie_replay_total,temperature", "text/csv")).text();
  const [header = ""] = asked.split("\n");
  expect(header.split(",")).toContain("pcie_replay_total");
  expect(header.split(",")).not.toContain("power_draw");
});

test("the newest records say how many there are, and lead on to all of them, in every format and order", async () => {
  for (const order of ["asc", "desc"]) {
    const path = `/api/v1/telemetry/latest?order=${order}&limit=3`;
    const first = await listOf(path);
    expect([first.count, first.total]).toEqual([3, 4]);
    const second = await listOf(`${path}&cursor=${first.next_cursor}`);
    expect([second.count, second.total, second.next_cursor]).toEqual([1, 4, undefined]);
    const uuids = [...first.data, ...second.data].map(({ uuid }) => uuid);
    expect(new Set(uuids).size).toBe(4);
    for (const accept of ["text/csv", "application/x-ndjson"]) {
      const { headers } = await as(path, accept);
      const head = await running.gateway.get(path, { method: "HEAD", headers: { accept } });
      expect([head.headers.get("x-total-count"), head.headers.get("link")]).toEqual(["4", headers.get("link")]);
      expect([headers.get("x-total-count"), headers.get("x-next-cursor")]).toEqual(["4", first.next_cursor ?? ""]);
      const link = /^<(.+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1] ?? "";
      const rest = await as(link, "application/x-ndjson");
      expect(
        (await rest.text())
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Row),
      ).toEqual([...second.data]);
      expect(rest.headers.get("x-next-cursor")).toBeNull();
    }
  }
});

test("records of one instant are each on one page", async () => {
  const records = Array.from({ length: 5 }, (_, index) => ({
    gpu: gpuOf("alpha", "host-s", index),
    ...{ timeMs: Date.UTC(2025, 6, 18), values: { temperature: 1 } },
  }));
  const opened = await openFleetStore(records);
  const same = gatewayOver(opened);
  const seen: unknown[] = [];
  let cursor = "";
  for (let page = 0; page < 3; page += 1) {
    const { data, next_cursor } = (await same.json(`/api/v1/telemetry/latest?limit=2${cursor}`)) as unknown as List;
    seen.push(...data.map(({ uuid }) => uuid));
    cursor = `&cursor=${next_cursor}`;
  }
  await opened.close();
  expect(seen.toSorted()).toEqual(records.map(({ gpu }) => gpu.uuid));
});

test("lists of GPUs and hosts have their total in every format", async () => {
  for (const [path, total] of [
    ["/api/v1/gpus?limit=1", 4],
    ["/api/v1/hosts?limit=1", 3],
  ] as const) {
    const { total: told, next_cursor: cursor } = await listOf(path);
    const { headers } = await as(path, "text/csv");
    expect([path, told, headers.get("x-total-count"), headers.get("x-next-cursor")]).toEqual([
      path,
      total,
      String(total),
      cursor ?? "",
    ]);
  }
  const { headers } = await as("/api/v1/telemetry?limit=2", "text/csv");
  expect(headers.get("x-next-cursor")).toBe((await listOf("/api/v1/telemetry?limit=2")).next_cursor ?? "");
});

test("the table of aggregates has a column for each figure of a metric, and the range in headers", async () => {
  const range = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
  const path = `/api/v1/telemetry/aggregates?group_by=host&metrics=temperature&expected=false&${range}`;
  const answer = await as(path, "text/csv");
  const [row = {}]: Record<string, string>[] = parse(await answer.text(), { columns: true });
  expect(Object.keys(row).slice(0, 3)).toEqual(["timestamp", "cluster_id", "hostname"]);
  expect([row["temperature_avg"], row["temperature_count"]]).toEqual(["90", "1"]);
  expect([answer.headers.get("x-start-time"), answer.headers.get("x-notice")]).toEqual(["2025-07-18T20:00:00Z", null]);
  const empty = await as("/api/v1/telemetry/aggregates?group_by=host", "text/csv");
  expect([await empty.text(), empty.headers.get("x-notice")?.slice(0, 24)]).toEqual([
    "timestamp\n",
    "The range has no values:",
  ]);
});

test("aggregates say which range they cover, and why they are empty for an old import", async () => {
  const path = "/api/v1/telemetry/aggregates?group_by=host";
  const recent = await running.gateway.json(path);
  const lengthMs = Date.parse(recent["end_time"] as string) - Date.parse(recent["start_time"] as string);
  expect([recent["count"], lengthMs]).toEqual([0, 3_600_000]);
  expect(recent["notice"]).toContain(
    "the newest record of the selected GPUs is of 2025-07-18T20:42:37.250Z; set start_time",
  );
  const range = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
  expect(await running.gateway.json(`${path}&${range}`)).toMatchObject({
    start_time: "2025-07-18T20:00:00Z",
    end_time: "2025-07-18T21:00:00Z",
  });
  expect((await running.gateway.json(`${path}&${range}`))["notice"]).toBeUndefined();
  expect((await running.gateway.json(`${path}&hostname=none`))["notice"]).toBe("No GPU that is selected has a record");
  const none = await running.gateway.json(`${path}&start_time=2025-07-01T00:00:00Z&end_time=2025-07-02T00:00:00Z`);
  expect(none["notice"]).toBe(
    "The range has no values: the newest record of the selected GPUs is of 2025-07-18T20:42:37.250Z",
  );
});

test("aggregates over GraphQL say the same of their range", async () => {
  const query = "{ aggregates(groupBy: host) { startTime endTime notice rows { timestamp } } }";
  const { data } = (await running.gateway.json(`/graphql?query=${encodeURIComponent(query)}`)) as {
    data: { aggregates: { startTime: string; endTime: string; notice: string; rows: unknown[] } };
  };
  const { startTime, endTime, notice, rows } = data.aggregates;
  expect([rows.length, Date.parse(endTime) - Date.parse(startTime)]).toEqual([0, 3_600_000]);
  expect(notice).toStartWith("The range has no values: the newest record");
});

test("the quarantine leads on to all of its inputs", async () => {
  const whole = await listOf("/api/v1/quarantine");
  const ids: unknown[] = [];
  let page = await listOf("/api/v1/quarantine?limit=1");
  for (; page.data.length > 0; page = await listOf(`/api/v1/quarantine?limit=1&cursor=${page.next_cursor}`))
    ids.push(page.data[0]?.["id"]);
  expect(ids).toEqual(whole.data.map(({ id }) => id));
  const query = `{ quarantine(limit: 5, cursor: ${String(whole.data[0]?.["id"])}) { id } }`;
  const answer = (await running.gateway.json(`/graphql?query=${encodeURIComponent(query)}`)) as {
    data: { quarantine: { id: unknown }[] };
  };
  expect(answer.data.quarantine.map(({ id }) => id)).toEqual(ids.slice(1));
});

test("a list that is whole says how many elements it has, in headers too", async () => {
  for (const path of [
    "/api/v1/metrics",
    "/api/v1/faults/rules",
    "/api/v1/faults",
    "/api/v1/inventory",
    "/api/v1/quarantine",
  ]) {
    const { count } = await listOf(path);
    const { headers } = await as(path, "text/csv");
    expect([path, headers.get("x-total-count")]).toEqual([path, String(count)]);
  }
  expect((await listOf("/api/v1/inventory")).total).toBe((await listOf("/api/v1/inventory")).count);
  expect((await listOf("/api/v1/inventory?limit=1")).total).toBeUndefined();
});
