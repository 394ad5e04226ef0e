import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

// MIG instances whose uuid is NVIDIA's, and so does not name their GPU. Each is held for an hour.

setDefaultTimeout(60_000);

const begin = Date.UTC(2026, 0, 5, 10);
const hourMs = 3_600_000;
const profile = (text: string) => ({ GPU_I_ID: "3", GPU_I_PROFILE: text });
const held = (namespace: string) => ({ workload: { namespace, pod: "p", container: "c" } });
const devices: readonly Omit<TestRecord, "timeMs" | "metrics">[] = [
  { uuid: "GPU-a", hostname: "host-a", properties: {} },
  { uuid: "MIG-a", hostname: "host-a", modelName: "NVIDIA A100-SXM4-80GB MIG 3g.40gb", ...held("by-model") },
  { uuid: "MIG-b", hostname: "host-b", properties: profile("1g.10gb"), ...held("by-label") },
  { uuid: "MIG-c", hostname: "host-c", properties: {}, ...held("unsized") },
  { uuid: "GPU-11111111-2222-3333-4444-555555555555", hostname: "host-d", properties: {} },
  {
    ...{ uuid: "MIG-GPU-11111111-2222-3333-4444-555555555555/3/0", hostname: "host-e", properties: profile("2g.10gb") },
    ...held("older"),
  },
];

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
  const minutes = Array.from({ length: 61 }, (_, index) => begin + index * 60_000);
  const records = devices.flatMap((device) =>
    minutes.map((timeMs) => ({ ...device, timeMs, metrics: { power_draw: 700, sm_active: 0.5 } })),
  );
  await opened.store.ingest(messageOf("mig", makeBatch(records)));
});
afterAll(() => opened.close());

const range = { fromMs: begin, toMs: begin + 2 * hourMs };
const sumsBy = async (groupBy: "namespace" | "device", gpus = {}) => {
  const filter = { gpus, holder: {}, range, groupBy, step: "total", rowsMax: 100 } as const;
  return opened.queries.usage.sums(filter);
};

test("an instance has the share of its profile, which the model's name or a label says; an unknown one counts as one slice, and says so", async () => {
  const rows = await sumsBy("namespace");
  const sevenths = (seconds: number): number => Math.round((7 * seconds * 1e6) / 3600) / 1e6;
  const figures = rows.map(({ group, ...row }) => [group[0], row.allocatedSeconds, row.unsizedSeconds] as const);
  expect(figures.map(([namespace, ...seconds]) => [namespace, ...seconds.map(sevenths)])).toEqual([
    ["", 0, 0],
    ["by-label", 1, 0],
    ["by-model", 3, 0],
    ["older", 2, 0],
    ["unsized", 1, 1],
  ]);
});

test("an instance is a part of the GPU with its index on its host, or of the one that its uuid names: their time is an hour together", async () => {
  for (const hostname of ["host-a", "host-d"]) {
    const rows = (await sumsBy("device")).filter(
      ({ group }) => group[1] === hostname || (hostname === "host-d" && group[1] === "host-e"),
    );
    const seconds = rows.map((row) => row.allocatedSeconds + row.unallocatedSeconds + row.unknownSeconds);
    expect(rows).toHaveLength(2);
    expect(seconds.reduce((sum, each) => sum + each)).toBeCloseTo(3600, 6);
    // 700 W for an hour, and not for the instance once more
    expect(rows.reduce((sum, row) => sum + row.energyJoules + row.otherJoules, 0)).toBeCloseTo(700 * 3600, -1);
  }
});

test("of a GPU that no input names, only the share of its instance counts, without energy", async () => {
  expect(await sumsBy("device", { hostname: "host-b" })).toMatchObject([
    { group: ["cluster", "host-b", "MIG-b"], devices: 1, unknownSeconds: 0, energyJoules: 0, energyBy: "none" },
  ]);
});

test("who held an instance is known", async () => {
  const spans = await opened.queries.usage.holders({ uuid: "MIG-a", range });
  expect(spans).toMatchObject([{ state: "held", fromMs: begin, toMs: begin + hourMs }]);
});
