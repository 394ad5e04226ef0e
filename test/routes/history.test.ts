import { describe, expect, test } from "bun:test";
import { gpuKeyMin } from "../../src/domain/gpu-key.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

const a0 = "/api/v1/gpus/GPU-host-a-0/telemetry";
const day = "start_time=2025-07-18T00:00:00Z&end_time=2025-07-18T23:59:59Z";

interface Body {
  readonly count: number;
  readonly resolution: string;
  readonly next_cursor?: string;
  readonly data: readonly { readonly timestamp: string; readonly [field: string]: unknown }[];
}

const bodyOf = async (path: string): Promise<Body> => (await running.gateway.json(path)) as unknown as Body;

describe("history", () => {
  test.each(["1m", "1h", "1d"])("averages of a host by %s have those in which its GPUs came", async (resolution) => {
    const averages = async (query: string) =>
      (await bodyOf(`/api/v1/telemetry?resolution=${resolution}&limit=100&${query}`)).data;
    const all = (await averages("")).filter(({ uuid }) => String(uuid).startsWith("GPU-host-a"));
    expect(all.length).toBe(2);
    expect(await averages("cluster_id=alpha&hostname=host-a")).toEqual(all);
    expect(await averages("hostname=host-a&model=NVIDIA%20H100%2080GB%20HBM3&cluster_id=alpha")).toEqual(all);
    expect(await averages("hostname=host-a&cluster_id=gamma")).toEqual([]);
  });

  test("has pages that lead from the newest records back to the oldest by next_cursor", async () => {
    for (const path of [a0, "/api/v1/telemetry", "/api/v1/clusters/alpha/hosts/host-a/gpus/0/metrics"]) {
      const whole = await bodyOf(`${path}?limit=100`);
      expect(whole.next_cursor).toBeUndefined();
      const pages: Body["data"][] = [];
      for (let cursor = ""; ;) {
        const page = await bodyOf(`${path}?limit=2${cursor}`);
        pages.unshift(page.data);
        if (page.next_cursor === undefined) break;
        cursor = `&cursor=${page.next_cursor}`;
      }
      expect(pages.length).toBe(Math.ceil(whole.count / 2));
      expect(pages.flat()).toEqual([...whole.data]);
    }
  });

  test("a cursor whose values cannot be a place in the history is refused", async () => {
    const [key, text] = [gpuKeyMin, String(gpuKeyMin)];
    for (const place of [
      [-1e16, key],
      [1, -1],
      [1, 2 ** 53],
      [1.5, key],
      [1, text],
      [1],
      [1, key, 1],
      {},
      null,
      1e300,
    ]) {
      const cursor = Buffer.from(JSON.stringify(place)).toString("base64url");
      expect(await running.gateway.json(`${a0}?cursor=${cursor}`)).toMatchObject({
        error: { code: "invalid_parameter", details: { parameter: "cursor", value: cursor } },
      });
    }
  });

  test("a cursor of a program whose databases counted their GPUs is refused, with advice, instead of leaving out records", async () => {
    const cursor = Buffer.from("1752871354000:42").toString("base64url");
    expect(await running.gateway.json(`${a0}?cursor=${cursor}`)).toMatchObject({
      error: {
        code: "invalid_parameter",
        message: expect.stringContaining("after an upgrade, start without it") as string,
      },
    });
  });

  test("a cursor's text has a fixed form, so that gateways of other versions accept it", async () => {
    const { next_cursor: cursor = "" } = await bodyOf(`${a0}?limit=1`);
    expect(Buffer.from(cursor, "base64url").toString()).toMatch(/^\d+:\d+$/);
  });

  test("a cursor with an instant before 1970 is accepted", async () => {
    const cursor = Buffer.from(`-1000:${gpuKeyMin}`).toString("base64url");
    expect(await bodyOf(`${a0}?cursor=${cursor}`)).toMatchObject({ count: 0 });
  });

  test("a text that is not a cursor is refused", async () => {
    expect(await running.gateway.json(`${a0}?cursor=abc`)).toMatchObject({
      error: { code: "invalid_parameter", details: { parameter: "cursor", value: "abc" } },
    });
  });

  test("names its resolution; auto selects one that suits the time range", async () => {
    const resolutionOf = async (query: string) => (await bodyOf(`${a0}?${query}`)).resolution;
    expect(await resolutionOf("")).toBe("raw");
    expect(await resolutionOf(day)).toBe("raw");
    expect(await resolutionOf("resolution=auto")).toBe("raw");
    expect(await resolutionOf("resolution=auto&start_time=2025-07-18T18:00:00Z&end_time=2025-07-18T23:00:00Z")).toBe(
      "raw",
    );
    expect(await resolutionOf(`resolution=auto&${day}`)).toBe("1m");
    const until = (date: string) =>
      resolutionOf(`resolution=auto&start_time=2025-07-01T00:00:00Z&end_time=${date}T00:00:00Z`);
    expect(await until("2025-07-08")).toBe("1m");
    expect(await until("2025-10-01")).toBe("1h");
    expect(await until("2025-10-02")).toBe("1d");
    expect(await resolutionOf(`resolution=1h&${day}`)).toBe("1h");
    expect(await running.gateway.json(`${a0}?resolution=2m`)).toMatchObject({
      error: { code: "invalid_parameter", details: { parameter: "resolution", value: "2m" } },
    });
  });

  test("a minute has the average, minimum, maximum and count of each metric", async () => {
    const { data } = await bodyOf(`/api/v1/telemetry?resolution=1m&${day}`);
    expect(data.map(({ timestamp, uuid }) => [timestamp, uuid])).toEqual([
      ["2025-07-18T20:40:00Z", "GPU-host-b-0"],
      ["2025-07-18T20:42:00Z", "GPU-host-a-0"],
      ["2025-07-18T20:42:00Z", "GPU-host-a-1"],
    ]);
    expect(data[1]).toMatchObject({
      telemetry_id: "host-a_0_1752871320",
      gpu_utilization: 85.5,
      temperature: 72,
      rollup: { records: 4, min: { temperature: 72 }, max: { temperature: 72 }, count: { temperature: 1 } },
    });
  });

  test("a day has the records of all its hours", async () => {
    const { data } = await bodyOf(`/api/v1/telemetry?resolution=1d&${day}`);
    expect(data.map(({ timestamp, uuid }) => [timestamp, uuid])).toEqual(
      ["GPU-host-a-0", "GPU-host-a-1", "GPU-host-b-0"].map((uuid) => ["2025-07-18T00:00:00Z", uuid]),
    );
    expect(data[0]).toMatchObject({ telemetry_id: "host-a_0_1752796800", rollup: { records: 4 } });
  });
});

describe("aggregates", () => {
  const path = "/api/v1/telemetry/aggregates";

  test("summarise telemetry by group and minute", async () => {
    expect(await running.gateway.json(`${path}?group_by=cluster&metrics=temperature&resolution=1m&${day}`)).toEqual({
      success: true,
      count: 2,
      resolution: "1m",
      ...{ start_time: "2025-07-18T00:00:00Z", end_time: "2025-07-18T23:59:59Z" },
      data: [
        {
          timestamp: "2025-07-18T20:40:00Z",
          group: { cluster_id: "alpha" },
          // the devices of a file are due until it ends
          expected: 26,
          metrics: { temperature: { avg: 90, min: 90, max: 90, count: 1 } },
        },
        {
          timestamp: "2025-07-18T20:42:00Z",
          group: { cluster_id: "alpha" },
          expected: 43,
          metrics: { temperature: { avg: 66, min: 60, max: 72, count: 2 } },
        },
      ],
    });
    const byNamespace = await running.gateway.json(
      `${path}?group_by=namespace&metrics=sm_clock_mhz&cluster_id=alpha&hostname=host-a&${day}`,
    );
    expect(byNamespace.data).toContainEqual({
      timestamp: "2025-07-18T20:42:00Z",
      group: { namespace: "ml" },
      expected: 1,
      metrics: { sm_clock_mhz: { avg: 1980, min: 1980, max: 1980, count: 1 } },
    });
  });

  test("leave out how many records were due if they are asked to", async () => {
    const query = `${path}?group_by=cluster&metrics=temperature&resolution=1m&${day}`;
    const { data, ...others } = await running.gateway.json(query);
    const rows = data as { expected?: number }[];
    expect(rows.map(({ expected }) => expected)).toEqual([26, 43]);
    expect(await running.gateway.json(`${query}&expected=true`)).toEqual({ ...others, data });
    const without = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== "expected")));
    expect(await running.gateway.json(`${query}&expected=false`)).toEqual({ ...others, data: without });
  });

  test("need a group and existing metrics, and must fit into the limit", async () => {
    const refusal = async (query: string) => (await running.gateway.json(`${path}?${query}`)).error;
    expect(await refusal("")).toMatchObject({
      code: "invalid_parameter",
      message: 'group_by="" is not usable: it is missing; expected one of cluster, host, gpu, model, namespace',
    });
    expect(await refusal("group_by=rack")).toMatchObject({ details: { parameter: "group_by", value: "rack" } });
    expect(await refusal("group_by=host&metrics=temperature,heat")).toMatchObject({
      message: expect.stringContaining('there is no metric "heat"') as string,
    });
    expect(await refusal("group_by=host&expected=0")).toMatchObject({
      code: "invalid_parameter",
      message: 'expected="0" is not usable; expected true or false',
    });
    expect(await refusal(`group_by=cluster&limit=1&resolution=1m&${day}`)).toMatchObject({ code: "query_too_costly" });
  });
});

test("the changes of a GPU show its workload and its place at an instant", async () => {
  const path = "/api/v1/gpus/GPU-host-a-0/changes";
  const at = "2025-07-18T20:42:37Z";
  expect(await running.gateway.json(`${path}?start_time=${at}&end_time=${at}`)).toMatchObject({
    data: {
      uuid: "GPU-host-a-0",
      attributes: [{ from: "2025-07-18T20:42:34Z", hostname: "host-a", gpu_id: "0" }],
      workloads: [{ from: "2025-07-18T20:42:34Z", namespace: "" }],
    },
  });
  expect((await running.gateway.json(path)).data).toMatchObject({
    workloads: [{ namespace: "" }, { namespace: "ml", pod: "job-1" }],
  });
  expect(await running.gateway.json("/api/v1/gpus/GPU-none/changes")).toMatchObject({ error: { code: "not_found" } });
});
