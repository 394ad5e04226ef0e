import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { coverageHourMs } from "../../src/domain/coverage.ts";
import type { InventoryFilter, InventoryItem, InventoryPlace } from "../../src/domain/inventory.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { intervalMs, minute, t0, ToldInventory } from "../support/told-inventory.ts";

const stateOf = ({ state, fromMs, toMs, note }: InventoryItem) => ({ state, fromMs, toMs, note });

/** The contract of the inventory on every engine. */
export function exerciseInventory(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the inventory`, () => {
    let opened: OpenStore;
    let told: ToldInventory;
    beforeAll(async () => {
      opened = await open();
      told = new ToldInventory(opened);
    });
    afterAll(() => opened.close());

    test("hosts and devices that have reported are in it, each host before its devices, and pages continue", async () => {
      for (const uuid of ["list-b", "list-B", "list-a"]) await told.read("list", t0, [uuid]);
      const all = await told.items({ clusterId: "list" });
      expect(all.map(({ hostname, uuid }) => `${hostname} ${uuid}`)).toEqual([
        "list ",
        "list list-B",
        "list list-a",
        "list list-b",
      ]);
      expect(all[0]).toMatchObject({
        state: "active",
        gpusSeen: 3,
        gpus: undefined,
        declaredBy: [],
        firstSeenAtMs: t0,
      });
      const names: string[] = [];
      for (let after: InventoryFilter["after"]; ;) {
        const page = await opened.inventory.items({ clusterId: "list", limit: 3, ...(after && { after }) });
        names.push(...page.items.map(({ uuid }) => uuid));
        if ((after = page.next) === undefined) break;
      }
      expect(names).toEqual(all.map(({ uuid }) => uuid));
    });

    test("a host is decommissioned and restored with its devices, except those that were gone before", async () => {
      await told.read("host-1", t0, ["h1-a", "h1-b"]);
      await told.changed("decommission", { subject: { uuid: "h1-a" }, fromMs: t0 + minute, note: "broken" });
      const subject = { hostname: "host-1" };
      const host = await told.changed("decommission", { subject, fromMs: t0 + intervalMs });
      expect(host).toMatchObject({ uuid: "", state: "decommissioned", fromMs: t0 + intervalMs });
      const states = async () => (await told.items({ hostname: "host-1" })).map(({ state }) => state);
      expect(await states()).toEqual(["decommissioned", "decommissioned", "decommissioned"]);
      await told.changed("restore", { subject });
      expect(await states()).toEqual(["active", "decommissioned", "active"]);
      await told.changed("restore", { subject: { uuid: "h1-a" }, fromMs: t0 });
      expect(await states()).toEqual(["active", "active", "active"]);
    });

    test("a GPU that only its MIG instances report has a state, which its instances have too", async () => {
      await told.read("mig-host", t0, ["GPU-m:mig:1:1g.10gb", "GPU-m:mig:2:1g.10gb"]);
      const subject = { uuid: "GPU-m" };
      const place = { clusterId: "mig-host", hostname: "mig-host", uuid: "GPU-m" };
      const { maintenance } = await opened.inventory.counts();
      const changed = await told.changed("maintenance", { subject, note: "fans" });
      expect(changed).toMatchObject({
        ...place,
        state: "maintenance",
        note: "fans",
        firstSeenAtMs: t0,
        lastSeenAtMs: t0,
      });
      expect((await opened.inventory.counts()).maintenance).toBe(maintenance + 1);
      expect((await told.items({ hostname: "mig-host" })).map(({ uuid, state }) => `${uuid} ${state}`)).toEqual([
        " active",
        "GPU-m maintenance",
        "GPU-m:mig:1:1g.10gb maintenance",
        "GPU-m:mig:2:1g.10gb maintenance",
      ]);
      expect((await told.changed("decommission", { subject })).state).toBe("decommissioned");
      expect(stateOf(await told.changed("restore", { subject }))).toMatchObject({ state: "active" });
    });

    test("two operators at once leave one state, and the same change twice is one", async () => {
      await told.read("busy", t0, ["busy-1"]);
      const subject = { uuid: "busy-1" };
      const both = await Promise.all([
        told.changed("decommission", { subject }),
        told.changed("decommission", { subject }),
      ]);
      expect(both[0]?.fromMs).toBe(both[1]?.fromMs as number);
      expect(both[0]?.fromMs).toBeGreaterThan(t0);
      expect(stateOf(await told.changed("restore", { subject })).state).toBe("active");
      const toMs = Date.now() + coverageHourMs;
      const first = await told.changed("maintenance", { subject: { hostname: "busy" }, toMs, note: "fans" });
      const second = await told.changed("maintenance", { subject: { hostname: "busy" }, toMs });
      expect(stateOf(second)).toEqual(stateOf(first));
      expect((await told.items(subject)).map(stateOf)).toEqual([stateOf(first)]);
      await told.changed("restore", { subject: { hostname: "busy" } });
      expect((await told.items({ hostname: "busy" })).map(({ state }) => state)).toEqual(["active", "active"]);
    });

    test("a maintenance that is still to come is shown, and overlapping ones last until the last ends", async () => {
      await told.read("later", t0, ["later-1"]);
      const subject = { hostname: "later" };
      const now = Date.now();
      const planned = await told.changed("maintenance", {
        subject,
        fromMs: now + 3_600_000,
        toMs: now + 7_200_000,
        note: "disks",
      });
      expect(stateOf(planned)).toEqual({
        state: "active",
        fromMs: now + 3_600_000,
        toMs: now + 7_200_000,
        note: "disks",
      });
      await told.changed("maintenance", { subject, fromMs: now - 60_000, toMs: now + 60_000 });
      const item = await told.changed("maintenance", { subject, fromMs: now - 60_000, toMs: now + 600_000 });
      expect(stateOf(item)).toMatchObject({ state: "maintenance", toMs: now + 600_000 });
    });

    test("what cannot be right is refused, and says what is known", async () => {
      await told.read("gpu-node-01", t0, ["GPU-known-1"]);
      await told.read("gpu-node-02", t0, ["GPU-known-2"]);
      expect(await told.change("decommission", { subject: { hostname: "gpu-node-1" } })).toEqual({
        kind: "unknown",
        near: ["gpu-node-01", "gpu-node-02"],
      });
      expect(await told.change("decommission", { subject: { uuid: "GPU-known-3" } })).toMatchObject({
        kind: "unknown",
      });
      const subject = { uuid: "GPU-known-1" };
      expect(await told.change("decommission", { subject, fromMs: t0 - 2 * intervalMs })).toEqual({
        ...{ kind: "has_reported", uuid: "GPU-known-1", lastSeenAtMs: t0 },
      });
      expect(await told.change("maintenance", { subject, fromMs: t0, toMs: t0 })).toEqual({
        kind: "ends_before_begin",
        fromMs: t0,
      });
      expect(await told.change("maintenance", { subject, toMs: t0 })).toMatchObject({ kind: "ends_before_begin" });
      const declared = { clusterId: "other", hostname: "gpu-node-01", uuid: "", gpus: 8 };
      await opened.inventory.declare([declared]);
      expect(await told.change("maintenance", { subject: { hostname: "gpu-node-01" } })).toEqual({
        ...{ kind: "several_clusters", clusterIds: ["gpu-node-01", "other"] },
      });
      await opened.inventory.withdraw({ hostname: "gpu-node-01", clusterId: "other" });
      expect((await told.changed("maintenance", { subject: { hostname: "gpu-node-01" } })).state).toBe("maintenance");
    });

    test("what the file declares is replaced as a whole, without what operators have declared", async () => {
      const host = (hostname: string, gpus: number) => ({ clusterId: "declared", hostname, uuid: "", gpus });
      const device = (hostname: string, uuid: string) => ({ clusterId: "declared", hostname, uuid, gpus: undefined });
      const { inventory } = opened;
      expect(await inventory.replaceFile([host("d1", 8), device("d2", "d2-a")])).toEqual({
        added: 2,
        changed: 0,
        deleted: 0,
      });
      expect(await inventory.replaceFile([host("d1", 8), device("d2", "d2-a")])).toEqual({
        added: 0,
        changed: 0,
        deleted: 0,
      });
      expect(await inventory.declare([host("d1", 4), host("d3", 2)])).toEqual({ added: 2, changed: 0, deleted: 0 });
      const list = async () =>
        (await told.items({ clusterId: "declared" })).map(({ hostname, uuid, gpus, declaredBy }) => [
          hostname,
          uuid,
          gpus,
          declaredBy,
        ]);
      expect(await list()).toEqual([
        ["d1", "", 8, ["file", "operator"]],
        ["d2", "", undefined, ["file"]],
        ["d2", "d2-a", undefined, ["file"]],
        ["d3", "", 2, ["operator"]],
      ]);
      expect(await inventory.replaceFile([host("d1", 6), device("d4", "d2-a")])).toEqual({
        added: 0,
        changed: 2,
        deleted: 0,
      });
      expect(await inventory.replaceFile([device("d4", "d2-a")])).toEqual({ added: 0, changed: 0, deleted: 1 });
      expect(await list()).toEqual([
        ["d1", "", 4, ["operator"]],
        ["d3", "", 2, ["operator"]],
        ["d4", "", undefined, ["file"]],
        ["d4", "d2-a", undefined, ["file"]],
      ]);
      await inventory.replaceFile([]);
    });

    test("the spans that gateways follow say the same as the list, and are not read again until something changes", async () => {
      const { fleet } = opened.queries;
      const { version, nowMs, spans = [] } = await fleet.stateSpans(undefined);
      const seen = (await told.items({})).filter(({ firstSeenAtMs }) => firstSeenAtMs !== undefined);
      const names = new Set(seen.map(({ clusterId, hostname, uuid }) => [clusterId, hostname, uuid].join(" ")));
      const textOf = ({ clusterId, hostname, uuid, state }: Pick<InventoryItem, "state" | keyof InventoryPlace>) =>
        `${[clusterId, hostname, uuid].join(" ")}: ${state}`;
      const listed = seen.filter(({ state }) => state !== "active").map(textOf);
      const present = spans.filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
      const followed = present.filter((span) => names.has([span.clusterId, span.hostname, span.uuid].join(" ")));
      expect(listed.length).toBeGreaterThan(3);
      expect(followed.map(textOf).sort()).toEqual(listed.sort());
      expect(await fleet.stateSpans(version)).toMatchObject({ version, spans: undefined });
      await told.changed("restore", { subject: { hostname: "gpu-node-01" } });
      expect((await fleet.stateSpans(version)).spans).toBeArray();
    });
  });
}
