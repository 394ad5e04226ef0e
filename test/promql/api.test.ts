import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { deviceRecords, deviceStartMs } from "./device-set.ts";
import { expressions } from "./dashboards.ts";
import { recorded } from "./recorded.ts";
import { type Answer, differenceOf } from "./compare.ts";
import { pathOf } from "./evaluator.ts";

// What the API answers is compared with recorded answers of a real Prometheus. `bun run test:promql` compares with one that runs, and
// records these again with --record.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  stored = await openFleetStore([]);
  await stored.store.ingest(messageOf("devices", makeBatch(deviceRecords)));
  gateway = gatewayOver(stored);
});
afterAll(() => stored.close());

const at = deviceStartMs / 1000 + 600;

async function ask(path: string, form?: Readonly<Record<string, string>>): Promise<{ status: number; body: Answer }> {
  const post = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } };
  const body = new URLSearchParams(form).toString();
  const headers = { ...post.headers, "content-length": String(body.length) };
  const response = await gateway.get(path, form === undefined ? {} : { ...post, headers, body });
  return { status: response.status, body: (await response.json()) as Answer };
}

describe("queries in PromQL", () => {
  test("of dashboards have the answers of a Prometheus that has scraped the same devices", async () => {
    expect(recorded.map(({ query }) => query)).toEqual([...expressions]);
    for (const { query, asked, answer } of recorded) {
      const { body } = await ask(pathOf(query, asked));
      const difference = differenceOf(body, answer as Answer, false);
      expect([query, difference]).toEqual([query, undefined]);
    }
  });

  test("about instants that no record has are answered with nothing, or refused, and never fail", async () => {
    const metric = "DCGM_FI_DEV_GPU_TEMP";
    const far = ["@ 1e20", "@ -1e20", "@ -1e12", "@ 1e12", "offset 99999999999y", "offset -99999999999y"];
    const long = `max_over_time(${metric}[99999999999y])`;
    for (const query of [...far.map((place) => `${metric} ${place}`), long]) {
      for (const path of [`query?time=${at}`, `query_range?start=${at}&end=${at + 60}&step=60`]) {
        const { status, body } = await ask(`/api/v1/${path}&query=${encodeURIComponent(query)}`);
        expect([query, status === 200 || body.errorType === "bad_data"]).toEqual([query, true]);
      }
    }
  });

  test("have strings whose escapes of bytes are UTF-8, as in Go", async () => {
    const query = String.raw`label_replace(vector(1), "a", "\xc3\xa9\303\251\u00e9", "", "")`;
    const { body } = await ask(`/api/v1/query?query=${encodeURIComponent(query)}`);
    expect(body.data).toMatchObject({ result: [{ metric: { a: "ééé" } }] });
  });

  test("may be sent as a form", async () => {
    const path = "/api/v1/query";
    const query = "count(DCGM_FI_DEV_GPU_TEMP)";
    const { status, body } = await ask(path, { query, time: String(at) });
    const got = await ask(`${path}?query=${encodeURIComponent(query)}&time=${at}`);
    // of a parameter that both have, that of the form counts
    expect((await ask(`${path}?query=2&time=6`, { query, time: String(at) })).body).toEqual(got.body);
    expect([status, body]).toEqual([200, got.body]);
    expect(body.data).toEqual({ resultType: "vector", result: [{ metric: {}, value: [at, "3"] }] });
  });

  test("that are wrong, or not supported, are refused in Prometheus' form, and the reason is named", async () => {
    const refused = async (query: string) => {
      const { status, body } = await ask(`/api/v1/query?query=${encodeURIComponent(query)}`);
      return [status, body.status, body.errorType, body.error];
    };
    expect(await refused("rate(a[5m:1m])")).toEqual([
      400,
      "error",
      "bad_data",
      "subqueries are not supported: a[5m:1m]",
    ]);
    expect(await refused("predict_linear(a[1h], 60)")).toEqual([
      ...[400, "error", "bad_data"],
      "the function predict_linear is not supported",
    ]);
    expect(await refused("sum(")).toEqual([400, "error", "bad_data", "1:5: parse error: unexpected end of input"]);
    const rest = "Hostname (DCGM_FI_DEV_GPU_TEMP)";
    expect(await refused(`sum by ${rest}`)).toContain(`1:8: parse error: unexpected "${rest}"`);
    expect(await refused(`sum by ${rest} + ${rest}`)).toContain(
      `1:8: parse error: unexpected "${rest} + Hostname (DCGM_FI_DEV_GPU_..."`,
    );
    expect(await refused('a{b=~"("}')).toEqual([
      400,
      "error",
      "bad_data",
      "error parsing regexp: missing closing ): `(`",
    ]);
    const range = (more: string) => ask(`/api/v1/query_range?query=1&start=${at}&${more}`);
    expect((await range(`end=${at + 11_002}&step=1`)).body.error).toContain(
      "exceeded maximum resolution of 11,000 points",
    );
    expect((await range(`end=${at - 1}&step=1`)).body.error).toContain("end timestamp must not be before start time");
    expect((await range(`end=${at}&step=0`)).body.error).toContain("zero or negative query resolution step");
  });

  test("end when their time is over", async () => {
    const { status, body } = await ask(`/api/v1/query?query=DCGM_FI_DEV_GPU_TEMP&time=${at}&timeout=0`);
    expect([status, body.errorType]).toEqual([503, "timeout"]);
    const negative = await ask(`/api/v1/query?query=DCGM_FI_DEV_GPU_TEMP&time=${at}&timeout=-1`);
    expect([negative.status, negative.body.errorType]).toEqual([400, "bad_data"]);
  });

  test("have as many series as are wanted, and a warning that there are more", async () => {
    const asked = async (path: string) => {
      const { status, body } = await ask(`/api/v1/${path}`);
      return [status, (body.data?.result as unknown[] | undefined)?.length, (body as { warnings?: unknown }).warnings];
    };
    const truncated = ["results truncated due to limit"];
    expect(await asked(`query?query=DCGM_FI_DEV_GPU_TEMP&time=${at}&limit=2`)).toEqual([200, 2, truncated]);
    expect(await asked(`query?query=DCGM_FI_DEV_GPU_TEMP&time=${at}&limit=3`)).toEqual([200, 3, undefined]);
    const range = `query_range?query=DCGM_FI_DEV_GPU_TEMP&start=${at}&end=${at + 60}&step=60`;
    expect(await asked(`${range}&limit=1`)).toEqual([200, 1, truncated]);
    expect(await asked(`${range}&limit=-1`)).toEqual([400, undefined, undefined]);
  });

  test("count a value for as long as lookback_delta says", async () => {
    const counted = async (more: string) => {
      const query = encodeURIComponent('DCGM_FI_DEV_GPU_TEMP{Hostname="host-a",gpu="0"}');
      const { status, body } = await ask(`/api/v1/query?query=${query}&time=${at + 14}${more}`);
      return body.data === undefined ? [status, body.errorType] : body.data.result.length;
    };
    // the newest record is 14 s old; 0 and less mean the 5 minutes
    const series = await Promise.all(
      ["", "=13s", "=14", "=0", "=-5", "=x"].map((text) => counted(`&lookback_delta${text}`)),
    );
    expect(series).toEqual([1, 0, 1, 1, 1, [400, "bad_data"]]);
  });

  test("may be about any year", async () => {
    const far = "start=-62135596800&end=253402300799";
    expect((await ask(`/api/v1/labels?${far}`)).body.status).toBe("success");
    expect((await ask(`/api/v1/query_range?query=DCGM_FI_DEV_GPU_TEMP&${far}&step=31536000`)).body).toMatchObject({
      ...{ status: "success", data: { resultType: "matrix", result: [] } },
    });
    const { status } = await ask("/api/v1/query?query=1&time=8640000000001");
    expect(status).toBe(400);
  });
});

describe("what only a Prometheus has", () => {
  const answerOf = async (path: string, init: RequestInit = {}): Promise<readonly unknown[]> => {
    const response = await gateway.get(`/api/v1/${path}`, init);
    return [response.status, await response.json()];
  };
  const success = (data: unknown) => [200, { status: "success", data }];
  const refused = (status: number, errorType: string): readonly unknown[] => [
    status,
    expect.objectContaining({ status: "error", errorType }),
  ];

  test("is an empty list where Grafana asks for it", async () => {
    expect(await answerOf("rules?type=alert")).toEqual(success({ groups: [] }));
    expect(await answerOf("rules?type=x")).toEqual(refused(400, "bad_data"));
    expect(await answerOf("alerts")).toEqual(success({ alerts: [] }));
    expect(await answerOf("query_exemplars?query=sum(a)&start=1&end=2")).toEqual(success([]));
    expect(await answerOf("query_exemplars?query=sum(&start=1&end=2")).toEqual(refused(400, "bad_data"));
    expect(await answerOf("query_exemplars?query=a&start=2&end=1")).toEqual(refused(400, "bad_data"));
  });

  test("is refused in Prometheus' form", async () => {
    for (const path of ["format_query?query=1", "parse_query?query=1", "status/tsdb", "targets/metadata"]) {
      expect([path, ...(await answerOf(path))]).toEqual([path, ...refused(404, "not_found")]);
    }
    const post = { method: "POST", body: "query=1", headers: { "content-type": "text/plain", "content-length": "7" } };
    expect(await answerOf("query", post)).toEqual(refused(415, "bad_data"));
    const long = { ...post.headers, "content-length": "200000" };
    expect(await answerOf("query", { ...post, headers: long, body: "a".repeat(200_000) })).toEqual(
      refused(413, "bad_data"),
    );
  });
});

describe("what Grafana lists", () => {
  const data = async (path: string): Promise<unknown> => (await ask(path)).body.data;

  test("is the labels of the series of devices", async () => {
    expect(await data("/api/v1/label/gpu/values?match[]=DCGM_FI_DEV_GPU_TEMP")).toEqual(["0", "1"]);
    expect(await data("/api/v1/label/instance/values")).toEqual(["host-a", "host-b"]);
    expect(await data("/api/v1/label/nothing/values")).toEqual([]);
    expect(await data(`/api/v1/label/gpu/values?start=${at + 86_400}`)).toEqual([]);
    expect(await data("/api/v1/label/__name__/values")).toEqual(
      expect.arrayContaining(["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS", "own_metric"]),
    );
    expect(await data("/api/v1/labels")).toEqual(expect.arrayContaining(["Hostname", "UUID", "__name__", "gpu"]));
    expect(await data("/api/v1/series?match[]=own_metric{gpu='0',instance='host-a'}&limit=1")).toMatchObject([
      { __name__: "own_metric", gpu: "0", Hostname: "host-a" },
    ]);
  });

  test("is the types of metrics, and the version", async () => {
    expect(await data("/api/v1/metadata?metric=DCGM_FI_DEV_GPU_TEMP_CELSIUS")).toEqual({
      DCGM_FI_DEV_GPU_TEMP_CELSIUS: [{ type: "gauge", help: "GPU temperature", unit: "" }],
    });
    expect(await data("/api/v1/status/buildinfo")).toMatchObject({ version: "2.53.3" });
  });

  test("is refused without a selector of series", async () => {
    expect((await ask("/api/v1/series")).body).toEqual({
      ...{ status: "error", errorType: "bad_data", error: "no match[] parameter provided" },
    });
  });
});
