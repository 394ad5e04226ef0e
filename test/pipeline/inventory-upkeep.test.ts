import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { systemClock } from "../../src/kit/clock.ts";
import { showInventory } from "../../src/pipeline/observe/inventory-instruments.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { InventoryUpkeep } from "../../src/pipeline/upkeep/inventory-upkeep.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { intervalMs, t0, ToldInventory } from "../support/told-inventory.ts";
import { logSerializers } from "../../src/terminal/log.ts";

const logInto = (lines: string[]) =>
  pino({ level: "info", serializers: logSerializers }, { write: (line: string) => void lines.push(line) });

let opened: OpenStore;
let folder: string;
beforeAll(async () => {
  opened = await openMemoryStore();
  folder = await mkdtemp(join(tmpdir(), "telemetry-inventory-"));
});
afterAll(async () => {
  await opened.close();
  await rm(folder, { recursive: true });
});

test("a change of the file is applied and counted, bad lines are reported, and a lost file changes nothing", async () => {
  const file = join(folder, "inventory.csv");
  const logged: string[] = [];
  const log = logInto(logged);
  const upkeep = new InventoryUpkeep({ inventory: opened.inventory, file, clusterId: "lab", clock: systemClock, log });
  const declared = async () =>
    (await opened.inventory.items({ limit: 10, kind: "host" })).items.map(({ hostname, gpus }) => [hostname, gpus]);
  await upkeep.check();
  expect(upkeep.activity()).toContain(
    "the inventory's file is not applied, and what it declared before stands: ENOENT",
  );
  await writeFile(file, "hostname,gpus\ngpu-01,8\ngpu-02,four\n");
  await upkeep.check();
  expect(await declared()).toEqual([["gpu-01", 8]]);
  // a process with a bad line stays ready
  expect(upkeep.error()).toBeUndefined();
  expect(upkeep.activity()).toContain(`1 line(s) of ${file} declare nothing; line 3: gpus is "four"`);
  expect(logged.join("\n")).toContain("1 added, 0 changed, 0 deleted");
  await rm(file);
  await upkeep.check();
  expect(await declared()).toEqual([["gpu-01", 8]]);
  await writeFile(file, "hostname,gpus\ngpu-01,8\ngpu-02,4\n");
  await upkeep.check();
  expect(await declared()).toEqual([
    ["gpu-01", 8],
    ["gpu-02", 4],
  ]);
  expect([upkeep.activity(), upkeep.error()]).toEqual([undefined, undefined]);
  const registry = new Registry();
  const fresh = new InventoryUpkeep({
    inventory: opened.inventory,
    file: undefined,
    clusterId: "lab",
    clock: systemClock,
    log,
  });
  showInventory(() => fresh.counts, registry);
  expect(await registry.metrics()).not.toContain("telemetry_inventory_gpus{");
  await fresh.check();
  expect(await registry.metrics()).toContain('telemetry_inventory_gpus{kind="never_seen"} 12');
});

test("the return of a decommissioned device is logged once, whichever collector notices it", async () => {
  const told = new ToldInventory(opened);
  await told.read("rack", t0, ["back"]);
  await told.changed("decommission", { subject: { uuid: "back" }, fromMs: t0 + 1000 });
  const logged: string[] = [];
  const parts = {
    inventory: opened.inventory,
    file: undefined,
    clusterId: "lab",
    clock: systemClock,
    log: logInto(logged),
  };
  const collectors = [new InventoryUpkeep(parts), new InventoryUpkeep(parts)];
  await Promise.all(collectors.map((each) => each.check()));
  expect(logged).toEqual([]);
  await told.read("rack", t0 + 2 * intervalMs, ["back"]);
  for (let round = 0; round < 2; round += 1) await Promise.all(collectors.map((each) => each.check()));
  expect(logged).toHaveLength(1);
  expect(logged[0]).toContain("device back of host rack (cluster rack) has reported again at ");
});
