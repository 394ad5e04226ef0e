import { afterAll, beforeAll, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { LiveClient } from "../live/live-gateway.ts";
import { type DeviceGateway, openDeviceGateway, pick } from "./device-gateway.ts";

const xid = (code: string, value: string, more = "") => ({
  metric: "DCGM_EXP_XID_ERRORS_COUNT",
  value,
  more: `,window_size_in_ms="300000",xid="${code}"${more}`,
});
const health = (watch: string, value: string) => ({
  metric: "DCGM_EXP_GPU_HEALTH_STATUS",
  value,
  more: `,health_watch="${watch}"`,
});

let gateway: DeviceGateway;
beforeAll(async () => {
  gateway = await openDeviceGateway([
    xid("31", "4"),
    xid("45", "1"),
    xid("79", "0"),
    health("NVLINK", "20"),
    health("MEM", "10"),
    { metric: "my_metric", value: "7", more: ',peer_gpu="a,\\"b}"' },
    { metric: "fan_speed", value: "33" },
    { metric: "odd}name", value: "1" },
    { metric: 'a,b"{}', value: "2", more: ',nvlink="0"' },
    { metric: "DCGM_FI_DEV_GPU_TEMP", value: "60" },
  ]);
});
afterAll(() => gateway.close());

const name31 = 'xid_errors{window_size_in_ms="300000",xid="31"}';
const name45 = 'xid_errors{window_size_in_ms="300000",xid="45"}';
const name79 = 'xid_errors{window_size_in_ms="300000",xid="79"}';
const nvlink = 'gpu_health_status{health_watch="NVLINK"}';
const memory = 'gpu_health_status{health_watch="MEM"}';
const peer = 'my_metric{peer_gpu="a,\\"b}"}';
const odd = '{"a,b\\"{}",nvlink="0"}';
const custom = {
  [name31]: 4,
  [name45]: 1,
  [name79]: 0,
  [nvlink]: 20,
  [memory]: 10,
  [peer]: 7,
  fan_speed: 33,
  "odd}name": 1,
  [odd]: 2,
};

const lists = ["/api/v1/telemetry", "/api/v1/telemetry/latest", "/api/v1/gpus/GPU-0/telemetry"];
const chosen = (path: string, metrics: string) => gateway.data(`${path}?metrics=${encodeURIComponent(metrics)}`);

test("a record has each series in custom, and the fold under the metric's plain name", async () => {
  for (const path of lists) {
    expect(await gateway.data(path)).toMatchObject([{ custom, xid_errors: 5, gpu_health_status: 20, temperature: 60 }]);
  }
});

test("metrics= chooses a series by some of its labels; a plain name chooses the fold alone", async () => {
  for (const path of lists) {
    const fields = ["custom", "xid_errors", "temperature"];
    const read = async (metrics: string) => pick(await chosen(path, metrics), ...fields);
    expect(await read('xid_errors{xid="31"}')).toEqual([[{ [name31]: 4 }, undefined, undefined]]);
    expect(await read(name45)).toEqual([[{ [name45]: 1 }, undefined, undefined]]);
    expect(await read("xid_errors{},temperature")).toEqual([
      [{ [name31]: 4, [name45]: 1, [name79]: 0 }, undefined, 60],
    ]);
    expect(await read("xid_errors")).toEqual([[undefined, 5, undefined]]);
    expect(await read('DCGM_EXP_XID_ERRORS_COUNT{xid="79"},xid_errors')).toEqual([[{ [name79]: 0 }, 5, undefined]]);
    expect(await read('xid_errors{xid="99"}')).toEqual([[undefined, undefined, undefined]]);
    expect(await read("fan_speed{}")).toEqual([[{ fan_speed: 33 }, undefined, undefined]]);
  }
});

test("a comma, a quote and a brace within a label do not end a name in metrics=", async () => {
  for (const path of lists) {
    expect(pick(await chosen(path, `${peer},${name31}`), "custom")).toEqual([{ [peer]: 7, [name31]: 4 }]);
  }
});

test("a name that is neither a metric nor a series is refused with a message that says what is expected", async () => {
  for (const wrong of ["warmth", 'xid_errors{xid="31"', "xid_errors{xid=31}", "{}", "xid_errors}", 'x{a="1",}']) {
    expect(await chosen("/api/v1/telemetry", `temperature,${wrong}`)).toMatchObject({
      error: {
        code: "invalid_parameter",
        message: expect.stringMatching(
          /there is no metric .*names from \/api\/v1\/metrics or series such as/,
        ) as string,
      },
    });
  }
});

test("aggregates and averages refuse series and metrics outside the catalogue with a query of PromQL that answers them", async () => {
  const atSeconds = Date.parse("2025-07-18T20:42:34Z") / 1000;
  const json = async (path: string): Promise<unknown> => (await gateway.get(path)).json();
  const errorOf = async (path: string) => ((await json(path)) as { error: { code: string; message: string } }).error;
  const answered = async (message: string) => {
    const [, query = ""] = /, such as (.*?); expected /.exec(message) ?? [];
    const { data } = (await json(`/api/v1/query?time=${atSeconds}&query=${encodeURIComponent(query)}`)) as {
      data: { result: { value: [number, string] }[] };
    };
    return [query, ...data.result.map(({ value }) => Number(value[1]))];
  };
  const range = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-19T20:00:00Z";
  for (const [metric, selector, value] of [
    ["fan_speed", "fan_speed", 33],
    ["odd}name", undefined, 1],
    ['{"odd}name"}', '{"odd}name"}', 1],
    [name45, name45, 1],
    [odd, odd, 2],
  ] as const) {
    const asked = `metrics=${encodeURIComponent(`temperature,${metric}`)}`;
    const refused = await errorOf(`/api/v1/telemetry/aggregates?group_by=host&${asked}`);
    expect(refused.code).toBe("invalid_parameter");
    expect(refused.message).toContain(
      "PromQL answers metrics outside the catalogue and labelled series at /api/v1/query",
    );
    if (selector === undefined) continue;
    expect(await answered(refused.message)).toEqual([`avg by (Hostname) (${selector})`, value]);
    const series = encodeURIComponent(metric.includes("{") ? metric : `${metric}{}`);
    for (const resolution of ["1h", "auto"]) {
      const path = `/api/v1/gpus/GPU-0/telemetry?resolution=${resolution}&metrics=temperature,${series}&${range}`;
      const { message } = await errorOf(path);
      const step = resolution === "auto" ? "1m" : "1h";
      expect(await answered(message)).toEqual([`avg_over_time(${selector}[${step}])`, value]);
    }
  }
});

test("the series seen are listed with their labels, of all metrics or of one", async () => {
  const seen = { records: 1, last_seen_at: "2025-07-18T20:42:34Z" };
  const of = (metric: string, labels: object, selector: string) => ({ metric, labels, selector, ...seen });
  const window = { window_size_in_ms: "300000" };
  expect(await gateway.data("/api/v1/metrics/series")).toEqual([
    { name: "fan_speed", ...of("fan_speed", {}, "fan_speed{}") },
    { name: memory, ...of("gpu_health_status", { health_watch: "MEM" }, memory) },
    { name: nvlink, ...of("gpu_health_status", { health_watch: "NVLINK" }, nvlink) },
    { name: peer, ...of("my_metric", { peer_gpu: 'a,"b}' }, peer) },
    { name: "odd}name", ...of("odd}name", {}, '{"odd}name"}') },
    { name: name31, ...of("xid_errors", { ...window, xid: "31" }, name31) },
    { name: name45, ...of("xid_errors", { ...window, xid: "45" }, name45) },
    { name: name79, ...of("xid_errors", { ...window, xid: "79" }, name79) },
    { name: odd, ...of('a,b"{}', { nvlink: "0" }, odd) },
  ]);
  const names = async (query: string) => pick(await gateway.data(`/api/v1/metrics/series?${query}`), "name");
  expect(await names("metric=gpu_health_status")).toEqual([memory, nvlink]);
  expect(await names("limit=2")).toEqual(["fan_speed", memory]);
  expect(await names("hostname=other")).toEqual([]);
  expect(await names("start_time=2025-07-18T20:42:35Z")).toEqual([]);
});

test("the catalogue says where each metric belongs, and how its series are folded", async () => {
  const metrics = (await gateway.data("/api/v1/metrics")) as readonly { readonly name: string }[];
  const of = (name: string) => metrics.find((metric) => metric.name === name);
  expect(of("xid_errors")).toMatchObject({ scope: "board", fold: "sum" });
  expect(of("gpu_health_status")).toMatchObject({ scope: "board", fold: "max" });
  expect(of("memory_used_mb")).toMatchObject({ scope: "instance", fold: "max" });
  expect(await gateway.ask("{ metrics { name scope fold } }")).toMatchObject({
    metrics: expect.arrayContaining([{ name: "xid_errors", scope: "board", fold: "sum" }]) as unknown,
  });
});

test("CSV has the series as JSON in the cell custom, NDJSON as an object", async () => {
  for (const path of lists) {
    const as = async (accept: string, query = "") =>
      (await gateway.get(`${path}${query}`, { headers: { accept } })).text();
    const [row] = parse(await as("text/csv"), { columns: true }) as unknown as { custom: string; xid_errors: string }[];
    expect([JSON.parse(row?.custom ?? ""), row?.xid_errors]).toEqual([custom, "5"]);
    const query = `?metrics=${encodeURIComponent('xid_errors{xid="31"}')}`;
    const [narrow] = parse(await as("text/csv", query), { columns: true }) as unknown as Record<string, string>[];
    expect([JSON.parse(narrow?.["custom"] ?? ""), narrow?.["xid_errors"]]).toEqual([{ [name31]: 4 }, undefined]);
    expect(JSON.parse(await as("application/x-ndjson"))).toMatchObject({ custom, xid_errors: 5 });
  }
});

test("GraphQL has a record's series with their labels, and chooses them by metric or label", async () => {
  const answer = await gateway.ask(`{
    latestTelemetry {
      xidErrors
      all: series { name value }
      xid31: series(names: ["xid_errors{xid=\\"31\\"}"]) { metric labels { name value } value }
      both: series(names: ["gpu_health_status", "fan_speed{}"]) { name }
      odd: series(names: ["odd}name"]) { name }
    }
    series(metric: "my_metric") { name labels { name value } records }
  }`);
  expect(answer).toEqual({
    latestTelemetry: [
      {
        xidErrors: 5,
        all: expect.arrayContaining(Object.entries(custom).map(([name, value]) => ({ name, value }))) as unknown,
        xid31: [
          {
            metric: "xid_errors",
            labels: [
              { name: "window_size_in_ms", value: "300000" },
              { name: "xid", value: "31" },
            ],
            value: 4,
          },
        ],
        odd: [{ name: "odd}name" }],
        both: expect.arrayContaining([{ name: nvlink }, { name: memory }, { name: "fan_speed" }]) as unknown,
      },
    ],
    series: [{ name: peer, labels: [{ name: "peer_gpu", value: 'a,"b}' }], records: 1 }],
  });
  expect(await gateway.ask('{ latestTelemetry { series(names: ["a{b"]) { name } } }')).toMatchObject({
    errors: [{ extensions: { code: "BAD_USER_INPUT" } }],
  });
});

test("every series that the API lists is selected by its selector in metrics=, in GraphQL and over /ws", async () => {
  const series = (await gateway.data("/api/v1/metrics/series")) as {
    readonly name: string;
    readonly selector: string;
  }[];
  expect(series.map(({ name }) => name)).toContain("odd}name");
  const values: Record<string, number> = custom;
  for (const { name, selector } of series) {
    for (const path of lists) {
      expect(pick(await chosen(path, selector), "custom")).toEqual([{ [name]: values[name] }]);
    }
    const names = JSON.stringify([selector]);
    expect(await gateway.ask(`{ latestTelemetry { series(names: ${names}) { name selector } } }`)).toEqual({
      latestTelemetry: [{ series: [{ name, selector }] }],
    });
    const client = await LiveClient.open(gateway);
    await client.ask({ type: "subscribe", filters: { gpu_uuid: "GPU-0", metrics: [selector] } });
    expect((await client.next())["data"]).toEqual({ custom: { [name]: values[name] } });
    client.close();
  }
  const all = series.map(({ selector }) => selector).join(",");
  for (const path of lists) expect(pick(await chosen(path, all), "custom")).toEqual([custom]);
});

test("over /ws, metrics choose series, and a change of another series sends nothing", async () => {
  const client = await LiveClient.open(gateway);
  const filters = { gpu_uuid: "GPU-live", metrics: ['xid_errors{xid="31"}', "temperature"] };
  expect(await client.ask({ type: "subscribe", filters })).toMatchObject({ type: "subscribed", gpus: 0 });
  const live = { uuid: "GPU-live", gpu: "3" };
  await gateway.importRows([{ ...xid("45", "9"), ...live }]);
  await gateway.importRows([{ ...xid("31", "2"), ...live }]);
  expect(await client.next()).toMatchObject({ type: "telemetry_update", data: { custom: { [name31]: 2 } } });
  await gateway.importRows([{ ...xid("79", "1"), ...live }]);
  await gateway.importRows([{ metric: "DCGM_FI_DEV_GPU_TEMP", value: "70", ...live }]);
  expect((await client.next())["data"]).toEqual({ temperature: 70, custom: { [name31]: 2 } });
  const same = { type: "subscribe", filters: { ...filters, metrics: ["temperature", 'xid_errors{xid="31"}'] } };
  expect(await client.ask(same)).toMatchObject({ type: "error", code: "duplicate_subscription" });
  for (const wrong of ["warmth", "xid_errors{xid=31}"]) {
    const refused = await client.ask({ type: "subscribe", id: "w", filters: { metrics: ["temperature", wrong] } });
    expect(refused).toMatchObject({ type: "error", code: "invalid_field", id: "w" });
    expect(refused["message"]).toMatch(
      /^filters\.metrics\[1\]=.* is not usable(?:: there is no metric "warmth"; a metric outside the catalogue is selected as "warmth\{\}")?; expected .*a series such as xid_errors\{xid="31"\}$/,
    );
  }
  client.close();
});
