import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { makeBatch, messageOf, type TestRecord } from "../../../dev/make-batch.ts";
import { openPrometheus } from "../../../dev/servers/prometheus.ts";
import { until } from "../../../dev/until.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { dueMs } from "../../pipeline/exposition/read-exposition.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { listening } from "../../support/listening.ts";

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const workload = (pod: string) => ({ container: "c", pod, namespace: "ml" });
const records: readonly TestRecord[] = [
  {
    ...{ uuid, hostname: "gpu-01", gpuId: 3, timeMs: dueMs - 10_500, clusterId: "c1", driverVersion: "590.48.01" },
    properties: { serial: "1320", job: 'a "quoted" \\ job\n', "not a label": "x", xid: "x" },
    workload: workload("a"),
    sharing: [workload("b")],
    metrics: {
      ...{ gpu_utilization: 87.5, total_energy_mj: 9_007_199_254_740_991, xid_errors: 3 },
      ...{ 'xid_errors{xid="13"}': 1, 'xid_errors{xid="31"}': 2, DCGM_FI_DEV_FAN_SPEED: 33, "no name": 1 },
      ...{ 'requests{namespace="ml",pod="a"}': 7 },
    },
  },
  {
    ...{ uuid: `${uuid}:mig:9:1g.5gb`, hostname: "gpu-01", gpuId: 3, timeMs: dueMs - 10_000, clusterId: "c1" },
    ...{ properties: {}, driverVersion: "", metrics: { gpu_utilization: 0.000001 } },
  },
  { uuid: "GPU-old", hostname: "gpu-02", timeMs: dueMs - 300_001, metrics: { gpu_utilization: 1 } },
];
const board = `gpu="3",UUID="${uuid}",device="nvidia3",modelName="NVIDIA H100"`;
const first = `${board},Hostname="gpu-01",DCGM_FI_DRIVER_VERSION="590.48.01",cluster="c1",job="a \\"quoted\\" \\\\ job\\n",DCGM_FI_DEV_SERIAL="1320"`;
const [a, b] = ["a", "b"].map((pod) => `${first},container="c",namespace="ml",pod="${pod}"`);

const document = await Bun.file(join(import.meta.dir, "../../../docs/fleet-metrics.md")).text();
const [documented = ""] = [...document.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
const clock = { ...systemClock, nowMs: () => dueMs };
beforeAll(async () => {
  stored = await openFleetStore([]);
  await stored.store.ingest(messageOf("records", makeBatch(records)));
  gateway = gatewayOver(stored, { clock });
});
afterAll(() => stored.close());

describe("the fleet's metrics", () => {
  test("are in Prometheus' text format, under the names and labels of dcgm-exporter, without silent GPUs", async () => {
    const answer = await gateway.get("/metrics/fleet");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect((await answer.text()).split("\n")).toEqual([
      "# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (percent).",
      "# TYPE DCGM_FI_DEV_GPU_UTIL gauge",
      `DCGM_FI_DEV_GPU_UTIL{${a}} 87.5`,
      `DCGM_FI_DEV_GPU_UTIL{${b}} 87.5`,
      `DCGM_FI_DEV_GPU_UTIL{${board},GPU_I_PROFILE="1g.5gb",GPU_I_ID="9",Hostname="gpu-01",cluster="c1"} 0.000001`,
      "# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Energy consumed since boot (millijoules).",
      "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter",
      `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{${a}} 9007199254740991`,
      `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{${b}} 9007199254740991`,
      "# HELP DCGM_EXP_XID_ERRORS_COUNT XID errors in the exporter's window (errors).",
      "# TYPE DCGM_EXP_XID_ERRORS_COUNT gauge",
      ...[1, 2].flatMap((value) =>
        [a, b].map((labels) => `DCGM_EXP_XID_ERRORS_COUNT{${labels},xid="${value === 1 ? 13 : 31}"} ${value}`),
      ),
      "# TYPE DCGM_FI_DEV_FAN_SPEED untyped",
      `DCGM_FI_DEV_FAN_SPEED{${a}} 33`,
      `DCGM_FI_DEV_FAN_SPEED{${b}} 33`,
      "# TYPE requests untyped",
      `requests{${first},namespace="ml",pod="a"} 7`,
      "",
    ]);
  });

  test("are OpenMetrics for a reader that prefers it, with their instants if these are asked for", async () => {
    const accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5";
    const answer = await gateway.get("/metrics/fleet?timestamps=true", { headers: { accept } });
    expect(answer.headers.get("content-type")).toStartWith("application/openmetrics-text; version=1.0.0");
    const lines = (await answer.text()).split("\n");
    expect(lines).toContain(`DCGM_FI_DEV_GPU_UTIL{${a}} 87.5 ${(dueMs - 10_500) / 1000}`);
    // the names of its counters end in _total
    expect(lines).toContain("# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION unknown");
    expect(lines).toContain("# TYPE DCGM_FI_DEV_FAN_SPEED unknown");
    expect(lines.slice(-2)).toEqual(["# EOF", ""]);
    const inText = await (await gateway.get("/metrics/fleet?timestamps=true")).text();
    expect(inText).toContain(`DCGM_FI_DEV_GPU_UTIL{${a}} 87.5 ${dueMs - 10_500}\n`);
  });

  test("may be those of some GPUs, and compressed; without any, the text is empty, and still ends", async () => {
    const ofHost = await gateway.get("/metrics/fleet?hostname=gpu-01", { headers: { "accept-encoding": "gzip" } });
    expect(ofHost.headers.get("content-encoding")).toBe("gzip");
    const whole = await (await gateway.get("/metrics/fleet")).text();
    expect(new TextDecoder().decode(Bun.gunzipSync(await ofHost.arrayBuffer()))).toBe(whole);
    expect(await (await gateway.get("/metrics/fleet?hostname=gpu-02")).text()).toBe("");
    const accept = "application/openmetrics-text";
    const none = await gateway.get("/metrics/fleet?namespace=other", { headers: { accept } });
    expect(await none.text()).toBe("# EOF\n");
  });

  test("are not served without METRICS_FLEET=true, and METRICS_FLEET_STALE_AFTER says since when a GPU is silent", async () => {
    const off = gatewayOver(stored, { fleetMetrics: { areServed: false, staleAfterMs: 300_000 } });
    expect((await off.get("/metrics/fleet")).status).toBe(404);
    expect(await off.json("/metrics/fleet")).toMatchObject({ error: { details: { setting: "METRICS_FLEET" } } });
    const longer = gatewayOver(stored, { clock, fleetMetrics: { areServed: true, staleAfterMs: 300_001 } });
    expect(await (await longer.get("/metrics/fleet?hostname=gpu-02")).text()).toContain('UUID="GPU-old"');
  });
});

test("a real Prometheus scrapes the fleet's metrics in both formats, with the labels of the inputs if it honours them", async () => {
  const present = { ...records[0], timeMs: Date.now() } as TestRecord;
  await stored.store.ingest(messageOf("present", makeBatch([present])));
  const gateway = gatewayOver(stored);
  const { app } = gateway;
  const target = { static_configs: [{ targets: [`127.0.0.1:${await listening(gateway)}`] }] };
  const [scrape] = (parse(documented) as { scrape_configs: [Record<string, unknown>] }).scrape_configs;
  expect(scrape).toMatchObject({ metrics_path: "/metrics/fleet", honor_labels: true, scrape_interval: "15s" });
  const documentedJob = {
    ...scrape,
    ...target,
    authorization: { credentials_file: "/srv/key" },
    scrape_interval: "1s",
  };
  const jobs = [
    documentedJob,
    { ...documentedJob, job_name: "renamed", honor_labels: false, params: { timestamps: ["true"] } },
  ];
  const prometheus = await openPrometheus(stringify({ scrape_configs: jobs }), { key: "none is needed" });
  try {
    type Result = { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
    const ask = async (query: string) => {
      const url = `${prometheus.url}/api/v1/query?query=${encodeURIComponent(query)}`;
      return ((await (await fetch(url)).json()) as Result).data.result;
    };
    const ofUtil = () => ask(`DCGM_FI_DEV_GPU_UTIL{UUID="${uuid}"}`);
    await until(async () => (await ofUtil()).length === 4, { timeoutMs: 20_000 });
    const found = (await ofUtil()).map(({ metric: { job, exported_job, pod, gpu, Hostname }, value }) => ({
      ...{ job, exported_job, pod, gpu, Hostname, value: value[1] },
    }));
    const job = 'a "quoted" \\ job\n';
    const same = { gpu: "3", Hostname: "gpu-01", value: "87.5" };
    expect(found.sort((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y)))).toEqual([
      { job, exported_job: undefined, pod: "a", ...same },
      { job, exported_job: undefined, pod: "b", ...same },
      { job: "renamed", exported_job: job, pod: "a", ...same },
      { job: "renamed", exported_job: job, pod: "b", ...same },
    ]);
    expect((await ask("up == 1")).map(({ metric }) => metric["job"]).sort()).toEqual(["gpu-fleet", "renamed"]);
  } finally {
    await prometheus.close();
    await app.stop(true);
  }
}, 120_000);
