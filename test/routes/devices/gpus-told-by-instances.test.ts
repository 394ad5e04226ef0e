import { afterAll, beforeAll, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { messageOf } from "../../../dev/make-batch.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { FleetAnswers } from "../../../src/routes/answers/fleet-answers.ts";
import { openFleet } from "../../../src/routes/fleet/open-fleet.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../../support/csv-reading.ts";
import { openMemoryStore } from "../../support/open-store.ts";
import { type Cells, type DeviceGateway, migLabels, openDeviceGateway, pick } from "./device-gateway.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

// An exporter may report a GPU through its MIG instances alone: none of their metrics is the board's.

const ratio = "DCGM_FI_PROF_GR_ENGINE_ACTIVE";
const used = "DCGM_FI_DEV_FB_USED";
const at = (time: string): Cells => ({ timestamp: `2025-07-18T20:${time}Z` });
const instance = (id: string): Cells => ({ metric: ratio, value: "0.5", more: migLabels(id, "1g.10gb") });
const rows = [
  { ...instance("3"), ...at("42:34") },
  { ...instance("4"), ...at("42:36") },
  { metric: used, value: "1000", uuid: "GPU-1", gpu: "1", ...at("42:36") },
];
const counts = {
  gpu_count: 2,
  active_gpu_count: 2,
  silent_gpu_count: 0,
  mig_instances: 2,
  active_mig_instances: 2,
};

let gateway: DeviceGateway;
beforeAll(async () => void (gateway = await openDeviceGateway(rows)));
afterAll(() => gateway.close());

test("a GPU that only its MIG instances report is in the lists and under its uuid and its place", async () => {
  expect(pick(await gateway.data("/api/v1/gpus"), "uuid", "parent_uuid")).toEqual([
    ["GPU-0", undefined],
    ["GPU-0:mig:3:1g.10gb", "GPU-0"],
    ["GPU-0:mig:4:1g.10gb", "GPU-0"],
    ["GPU-1", undefined],
  ]);
  const gpu = {
    ...{ uuid: "GPU-0", id: "0", hostname: "host-1", status: "active" },
    ...{ first_seen_at: "2025-07-18T20:42:34Z", last_seen_at: "2025-07-18T20:42:36Z" },
  };
  expect(await gateway.data("/api/v1/gpus/GPU-0")).toMatchObject(gpu);
  expect(await gateway.data("/api/v1/clusters/local-cluster/hosts/host-1/gpus/0")).toMatchObject(gpu);
});

test("it counts as a GPU in hosts, clusters, statistics and GraphQL", async () => {
  expect(await gateway.data("/api/v1/hosts")).toMatchObject([counts]);
  expect(await gateway.data("/api/v1/clusters")).toMatchObject([counts]);
  expect(await gateway.data("/api/v1/clusters/local-cluster/stats")).toMatchObject(counts);
  expect(
    await gateway.ask(`{
      hosts { gpuCount activeGpuCount migInstances } clusters { gpuCount stats { gpuCount migInstances } }
      gpuPage { totalCount } gpus(parentUuid: "GPU-0") { parent { uuid status instances { uuid } latest { uuid } } }
    }`),
  ).toMatchObject({
    hosts: [{ gpuCount: 2, activeGpuCount: 2, migInstances: 2 }],
    clusters: [{ gpuCount: 2, stats: { gpuCount: 2, migInstances: 2 } }],
    gpuPage: { totalCount: 4 },
    gpus: [1, 2].map(() => ({ parent: { uuid: "GPU-0", status: "active", latest: null } })),
  });
});

test("its history is empty, and only a GPU without instances does not exist", async () => {
  expect(await gateway.data("/api/v1/gpus/GPU-0/telemetry")).toEqual([]);
  expect(await gateway.data("/api/v1/gpus/GPU-0/changes")).toEqual({ uuid: "GPU-0", attributes: [], workloads: [] });
  for (const path of ["", "/telemetry", "/changes"])
    expect(await gateway.data(`/api/v1/gpus/GPU/${path}`.replace(/\/$/, ""))).toMatchObject({
      error: { code: "not_found" },
    });
});

/** A gateway's answers about the fleet and its gauges, after each file has come from the hot tier, the store or both. */
async function toldBy(files: readonly (readonly Cells[])[], from: { readonly hot: boolean; readonly store: boolean }) {
  const folder = new CsvFolder();
  const store = await openMemoryStore();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const registry = new Registry();
  const parts = { hotTier, queries: store.queries.fleet, isHotTierWritten: true, clock: systemClock, registry };
  const fleet = openFleet({ ...parts, log: unshownLog() });
  if (from.hot) await fleet.start();
  for (const [index, file] of files.entries()) {
    const text = `${[exporterHeader, ...file.map((cells) => exporterRow(cells))].join("\n")}\n`;
    for (const { batch } of await batchesOf(await openCsvSource(folder.write(text)))) {
      if (from.store) await store.store.ingest(messageOf(`message ${index}`, batch));
      if (from.hot) await hotTier.write(batch);
    }
  }
  if (!from.hot) await fleet.start();
  const answers = new FleetAnswers(fleet);
  const told = {
    gpus: JSON.parse(answers.gpuList({})) as { readonly data: readonly Record<string, unknown>[] },
    gauges: (await registry.metrics()).match(/^telemetry_fleet_\w+ \d+$/gm),
  };
  await fleet.stop(AbortSignal.timeout(5000));
  await store.close();
  folder.remove();
  return told;
}

test("the hot tier and the store tell of the same GPUs, and the gauges count them", async () => {
  const ways = [
    { hot: true, store: false },
    { hot: false, store: true },
    { hot: true, store: true },
  ];
  const told = await Promise.all(ways.map((way) => toldBy([rows], way)));
  expect(told[0]?.gauges).toEqual(["telemetry_fleet_gpus 2", "telemetry_fleet_mig_instances 2"]);
  expect(told[1]).toEqual(told[0] as never);
  expect(told[2]).toEqual(told[0] as never);
});

test("a GPU that reports itself has its own attributes, and is active while an instance is", async () => {
  const own = { metric: used, value: "1", more: ',serial="7"', ...at("30:00") };
  for (const files of [
    [[own], rows],
    [rows, [own]],
  ]) {
    const { gpus, gauges } = await toldBy(files, { hot: true, store: true });
    expect(gauges).toEqual(["telemetry_fleet_gpus 2", "telemetry_fleet_mig_instances 2"]);
    expect(gpus.data[0]).toMatchObject({
      ...{ uuid: "GPU-0", properties: { serial: "7" }, status: "active" },
      ...{ first_seen_at: "2025-07-18T20:30:00Z", last_seen_at: "2025-07-18T20:42:36Z" },
    });
  }
});

test("a board that was moved, and that only its instances have reported since, is on its new host", async () => {
  const own = { metric: used, value: "1", ...at("30:00") };
  const moved = { ...instance("3"), host: "host-2", gpu: "5", ...at("42:36") };
  for (const files of [
    [[own], [moved]],
    [[moved], [own]],
  ]) {
    const { gpus } = await toldBy(files, { hot: true, store: true });
    expect(pick(gpus.data, "uuid", "hostname", "id")).toEqual([
      ["GPU-0", "host-2", "5"],
      ["GPU-0:mig:3:1g.10gb", "host-2", "5"],
    ]);
  }
});
