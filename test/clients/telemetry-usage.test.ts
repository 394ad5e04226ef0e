import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { runTelemetry } from "./run-telemetry.ts";

setDefaultTimeout(60_000);

const begin = Date.UTC(2025, 6, 18, 14);
const range = ["--start", "2025-07-18T14:00:00Z", "--end", "2025-07-18T15:30:00Z"];
let stored: OpenStore;
let gateway: LiveGateway;

// a team uses its GPU for an hour, another one does not use two
beforeAll(async () => {
  stored = await openMemoryStore();
  const holders = [
    { uuid: "GPU-used", namespace: "busy", utilization: 90 },
    { uuid: "GPU-held-0", namespace: "idle\u001b", utilization: 0 },
    { uuid: "GPU-held-1", namespace: "idle\u001b", utilization: 0 },
  ];
  const records = Array.from({ length: 61 }, (_, index) =>
    holders.map(({ uuid, namespace, utilization }) => ({
      ...{ uuid, timeMs: begin + index * 60_000, workload: { namespace, pod: "pod-0", container: "" } },
      metrics: { gpu_utilization: utilization, power_draw: 100 },
    })),
  ).flat();
  await stored.store.ingest(messageOf("usage", makeBatch(records)));
  gateway = await openLiveGateway({ queries: stored.queries });
});
afterAll(async () => {
  await gateway.close();
  await stored.close();
});

const run = (...args: string[]) => runTelemetry(gateway.port, [...args, ...range]);

test("usage shows hours by namespace as a table, as CSV and as JSON", async () => {
  const table = await run("usage");
  expect([table.status, table.errors]).toEqual([0, ""]);
  expect(table.text).toMatch(/busy +│ 1 +│ 1\.00 +│ 1\.00 +│ 0\.00 +│ - +│ 0\.00 +│ 0\.00 +│ 0\.1 /);
  expect(table.text).toContain("whole hours from 2025-07-18T14:00:00Z to 2025-07-18T16:00:00Z");
  const csv = await run("usage", "--by", "total", "--csv");
  expect(csv.text.split("\n")[0]).toStartWith("timestamp,devices,allocated_seconds");
  const json = JSON.parse((await run("usage", "--namespace", "busy", "--step", "hour", "--json")).text) as unknown;
  expect(json).toEqual([expect.objectContaining({ namespace: "busy", allocated_seconds: 3600, idle_seconds: 0 })]);
});

test("waste shows who holds idle GPUs, and no control character of a name", async () => {
  const table = await run("waste");
  expect([table.status, table.errors]).toEqual([0, ""]);
  expect(table.text).toMatch(/pod-0 +│ 2 +│ 2\.00 +│ 2\.00 +│ 100 % +│ 0\.2/);
  expect(table.text).toContain("whole hours from 2025-07-18T14:00:00Z to");
  expect(table.text).not.toContain("busy");
  expect(table.text).not.toContain("\u001b");
  const csv = await run("waste", "--csv");
  expect(csv.text).toContain("pod-0,2,7200");
});

test("waste ranks all holders, however many there are, and a name is no formula in its CSV", async () => {
  const names = [...Array.from({ length: 10_000 }, (_, index) => `pod-${index}`), "=z,wasteful"];
  const laterMs = begin + 48 * 3_600_000;
  const records = names.flatMap((pod) =>
    [0, 60_000].map((ms) => ({
      ...{ uuid: `GPU-of-${pod}`, timeMs: laterMs + ms, workload: { namespace: "z", pod, container: "" } },
      metrics: { gpu_utilization: pod.startsWith("=") ? 0 : 90 },
    })),
  );
  await stored.store.ingest(messageOf("many", makeBatch(records)));
  const later = ["--start", "2025-07-20T14:00:00Z", "--end", "2025-07-20T14:30:00Z"];
  const { text, errors } = await runTelemetry(gateway.port, ["waste", "--csv", ...later]);
  expect(errors).toBe("");
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain(`,z,"'=z,wasteful",`);
});
