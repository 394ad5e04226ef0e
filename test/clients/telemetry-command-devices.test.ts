import { afterAll, beforeAll, expect, test } from "bun:test";
import { type DeviceGateway, migLabels, openDeviceGateway } from "../routes/devices/device-gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";

const xid = (code: string, value: string) => ({
  metric: "DCGM_EXP_XID_ERRORS_COUNT",
  value,
  more: `,window_size_in_ms="300000",xid="${code}"`,
});

let gateway: DeviceGateway;
beforeAll(async () => {
  gateway = await openDeviceGateway([
    { metric: "DCGM_FI_DEV_FB_USED", value: "4100", more: migLabels("3", "1g.10gb"), pod: "a", namespace: "ml" },
    { metric: "DCGM_FI_DEV_GPU_TEMP", value: "60", pod: "a", namespace: "ml" },
    { metric: "DCGM_FI_DEV_GPU_TEMP", value: "60", pod: "b", namespace: "web" },
    xid("31", "4"),
    xid("45", "1"),
    { metric: "constructor", value: "7" },
  ]);
});
afterAll(() => gateway.close());

/** Runs scripts/telemetry.ts against the gateway. @returns its output, or its error */
async function run(...args: string[]): Promise<string> {
  const { text, errors } = await runTelemetry(gateway.port, args);
  return errors + text;
}

const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse(await run(...args, "--json"));

test("--parent shows the MIG instances of a GPU; tables name the instance and its profile", async () => {
  expect(await jsonOf("gpus", "--parent", "GPU-0")).toMatchObject([
    { uuid: "GPU-0:mig:3:1g.10gb", parent_uuid: "GPU-0" },
  ]);
  expect(await jsonOf("latest", "--parent", "GPU-0")).toMatchObject([{ memory_used_mb: 4100, mig_instance_id: "3" }]);
  expect(await run("gpus")).toContain("│ mig instance id │ mig profile │");
  expect(await run("hosts")).toContain("│ gpu count │ active gpu count │ mig instances │ active mig instances │");
  expect(await run("watch", "--parent", "GPU-0", "--count", "1")).toContain("GPU-0:mig:3:1g.10gb memory_used_mb=4100");
  expect(await run("gpus", "--parent", "GPU-9")).toBe('There is no GPU with uuid "GPU-9"\n');
});

test("series are listed, and chosen as columns of the newest records", async () => {
  expect(await run("series", "--metric", "xid_errors")).toContain('xid_errors{window_size_in_ms="300000",xid="31"}');
  const latest = await run("latest", "--gpu", "GPU-0", "--metrics", 'temperature,xid_errors{xid="31"}');
  expect(latest).toContain('│ temperature │ xid_errors{window_size_in_ms="300000",xid="31"} │');
  expect(latest).toMatch(/│ 60 +│ 4 +│/);
  expect(latest).not.toContain("45");
  const watched = await run("watch", "--gpu", "GPU-0", "--count", "1", "--metrics", 'xid_errors{xid="45"},temperature');
  expect(watched).toContain('temperature=60 custom={"xid_errors{window_size_in_ms=\\"300000\\",xid=\\"45\\"}":1}');
});

test("a metric that is named as what every object inherits is empty for the records that lack it", async () => {
  const latest = await run("latest", "--metrics", "temperature,memory_used_mb,constructor{}");
  expect(latest).toContain("│ constructor │");
  expect(latest).toMatch(/│ 7 +│/);
});

test("latest and watch show all workloads that share a GPU; latest also shows one that has it alone", async () => {
  const shared = await run("latest", "--gpu", "GPU-0");
  expect(shared).toContain("│ workload    │");
  expect(shared).toContain("│ ml/a, web/b │");
  expect(await run("watch", "--gpu", "GPU-0", "--count", "1")).toContain(" occupants=[ml/a, web/b]\n");
  const alone = await run("latest", "--parent", "GPU-0");
  expect(alone).toContain("│ workload │\n");
  expect(alone).toContain("│ ml/a     │\n");
});
