import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type CoverageFilter, coverageHourMs } from "../../src/domain/coverage.ts";
import type { InventoryChange, InventoryFilter, InventoryItem } from "../../src/domain/inventory.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";

const minute = 60_000;
const intervalMs = 10 * minute;
const perHour = coverageHourMs / intervalMs;
const hours = 2;
/** A whole hour of the recent past, so that spans from now on come after all readings. */
const t0 = Math.floor(Date.now() / coverageHourMs) * coverageHourMs - 24 * coverageHourMs;

/** What is said of a device or its host, in intervals since t0. */
interface Said {
  readonly action: "maintenance" | "decommission";
  readonly ofHost: boolean;
  readonly from: number;
  readonly to: number;
}

const said: fc.Arbitrary<Said> = fc.record({
  action: fc.constantFrom("maintenance" as const, "decommission" as const),
  ofHost: fc.boolean(),
  from: fc.double({ min: 0, max: hours * perHour, noNaN: true }),
  to: fc.double({ min: 0.1, max: hours * perHour, noNaN: true }),
});

/** The contract of the inventory on every engine. */
export function exerciseInventory(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the inventory`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    let messages = 0;
    const read = async (source: string, timeMs: number, uuids: readonly string[]): Promise<void> => {
      const records = uuids.map((uuid) => {
        return { uuid, hostname: source, clusterId: source, timeMs, metrics: { temperature: 1 } };
      });
      const batch = { ...makeBatch(records), reading: { timeMs, intervalMs, outcome: "read" as const, count: 1 } };
      await opened.store.ingest(messageOf(`reading ${messages++}`, batch, { source, from: timeMs, to: timeMs }));
    };
    const change = (action: InventoryChange["action"], more: Partial<InventoryChange>) =>
      opened.inventory.change({ action, subject: {}, fromMs: undefined, toMs: undefined, note: "", ...more });
    const changed = async (action: InventoryChange["action"], more: Partial<InventoryChange>) => {
      const outcome = await change(action, more);
      if (outcome.kind !== "changed") throw new Error(`refused: ${JSON.stringify(outcome)}`);
      return outcome.item;
    };
    const items = async (filter: Partial<InventoryFilter>) =>
      (await opened.inventory.items({ limit: 1000, ...filter })).items;
    const coverage = async (gpus: CoverageFilter["gpus"], more: Partial<CoverageFilter> = {}) => {
      const range = { fromMs: t0, toMs: t0 + hours * coverageHourMs };
      const filter = { groupBy: "device" as const, gpus, range, step: "hour" as const, limit: 1000, ...more };
      const nowMs = t0 + hours * coverageHourMs - 1;
      return (await opened.queries.coverage.coverage({ nowMs, ...filter })).rows;
    };
    const stateOf = ({ state, fromMs, toMs, note }: InventoryItem) => ({ state, fromMs, toMs, note });

    test("hosts and devices that have reported are in it, each host before its devices, and pages continue", async () => {
      for (const uuid of ["list-b", "list-B", "list-a"]) await read("list", t0, [uuid]);
      const all = await items({ clusterId: "list" });
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

    test("of each hour, what is left out is what was due, not received, and gone or under maintenance", async () => {
      let run = 0;
      const ticks = fc.array(fc.boolean(), { minLength: 1, maxLength: hours * perHour });
      await fc.assert(
        fc.asyncProperty(ticks, fc.array(said, { maxLength: 3 }), async (received, spans) => {
          const id = `left out ${run++}`;
          const isRead = received.map((each, at) => each || at === 0);
          for (const [at, each] of isRead.entries()) await read(id, t0 + at * intervalMs, each ? [id] : []);
          const lasting = spans.map(({ from, to, ...rest }) => {
            return {
              ...rest,
              fromMs: Math.round(t0 + from * intervalMs),
              toMs: Math.round(t0 + (from + to) * intervalMs),
            };
          });
          for (const { action, ofHost, fromMs, toMs } of lasting) {
            const subject = ofHost ? { clusterId: id, hostname: id } : { uuid: id };
            // a device that reports later comes back, so only what is silent can be gone
            const isSilent = isRead.every((each, at) => !each || t0 + at * intervalMs < fromMs);
            if (action === "maintenance") await changed(action, { subject, fromMs, toMs });
            else if (isSilent) await changed(action, { subject, fromMs });
          }
          const isGone = (timeMs: number) =>
            lasting.some(({ action, fromMs }) => {
              const isSilent = isRead.every((each, at) => !each || t0 + at * intervalMs < fromMs);
              return action === "decommission" && isSilent && timeMs >= fromMs;
            });
          const isMaintained = (timeMs: number) =>
            lasting.some(({ action, fromMs, toMs }) => action === "maintenance" && timeMs >= fromMs && timeMs < toMs);
          const model = new Map<number, { expected: number; received: number; maintenance: number }>();
          isRead.forEach((each, at) => {
            const timeMs = t0 + at * intervalMs;
            const hour = Math.floor(timeMs / coverageHourMs) * coverageHourMs;
            const counts = model.get(hour) ?? { expected: 0, received: 0, maintenance: 0 };
            model.set(hour, counts);
            if (each || !(isGone(timeMs) || isMaintained(timeMs))) counts.expected += 1;
            if (each) counts.received += 1;
            else if (isMaintained(timeMs) && !isGone(timeMs)) counts.maintenance += 1;
          });
          const nowMs = t0 + (isRead.length - 1) * intervalMs;
          const rows = await coverage({ uuids: [id] }, { nowMs });
          const found = rows.map(({ timeMs, expected, received: stored, maintenance, missed }) => {
            const missing = Object.values(missed).reduce((sum, count) => sum + count, 0);
            expect(stored + missing).toBe(expected ?? NaN);
            return [timeMs, { expected, received: stored, maintenance }];
          });
          const shown = [...model].filter(([, counts]) => counts.expected + counts.maintenance > 0);
          expect(found).toEqual(shown as never);
        }),
        { numRuns: 12 },
      );
    }, 120_000);

    test("a device that was decommissioned is no longer expected, nor is its MIG instance, and comes back with a record", async () => {
      const instance = "gone:mig:1:1g.10gb";
      await read("rack", t0, ["gone", instance, "stays"]);
      const fromMs = t0 + 2 * intervalMs;
      const item = await changed("decommission", { subject: { uuid: "gone" }, fromMs, note: "sold" });
      expect(stateOf(item)).toEqual({ state: "decommissioned", fromMs, toMs: undefined, note: "sold" });
      const nowMs = t0 + 5 * intervalMs;
      const expected = async () =>
        (await coverage({ clusterId: "rack" }, { nowMs })).map((row) => [row.group[2], row.expected]);
      for (let at = 1; at <= 3; at += 1) await read("rack", t0 + at * intervalMs, ["stays"]);
      expect(await expected()).toEqual([
        ["gone", 2],
        [instance, 2],
        ["stays", 5],
      ]);
      expect((await items({ clusterId: "rack", state: "decommissioned" })).map(({ uuid }) => uuid)).toEqual([
        "gone",
        instance,
      ]);
      expect(await opened.inventory.noteReturned()).toEqual([]);

      const returnedAtMs = t0 + 4 * intervalMs;
      await read("rack", returnedAtMs, ["gone", "stays"]);
      await read("rack", t0 + 5 * intervalMs, ["stays"]);
      expect(await expected()).toEqual([
        ["gone", 4],
        [instance, 2],
        ["stays", 6],
      ]);
      const [back] = await items({ uuid: "gone" });
      expect(back).toMatchObject({ state: "active", returnedAtMs });
      const notes = await Promise.all([opened.inventory.noteReturned(), opened.inventory.noteReturned()]);
      expect(notes.flat()).toEqual([{ clusterId: "rack", hostname: "rack", uuid: "gone", returnedAtMs }]);
      expect(await expected()).toEqual([
        ["gone", 4],
        [instance, 2],
        ["stays", 6],
      ]);
      const again = await changed("decommission", { subject: { uuid: "gone" }, fromMs: t0 + 6 * intervalMs });
      expect(stateOf(again)).toMatchObject({ state: "decommissioned", fromMs: t0 + 6 * intervalMs });
    });

    test("what a device reports until it is switched off does not bring it back", async () => {
      await read("switch", t0, ["switched"]);
      await changed("decommission", { subject: { uuid: "switched" }, fromMs: t0 + minute });
      await read("switch", t0 + intervalMs, ["switched"]);
      const [row] = await coverage({ uuids: ["switched"] }, { nowMs: t0 + 4 * intervalMs });
      expect(row).toMatchObject({ expected: 2, received: 2, missed: {} });
      expect(await opened.inventory.noteReturned()).toEqual([]);
    });

    test("a target is excused while all of its devices are under maintenance", async () => {
      await read("excused", t0, ["excused-1", "excused-2"]);
      const timeMs = t0 + 5 * intervalMs;
      const reading = { timeMs, intervalMs, outcome: "missed" as const, reason: "refused" as const, count: 5 };
      await opened.store.ingest(messageOf("excused refused", { ...makeBatch([]), reading }, { source: "excused" }));
      const target = async () => {
        const [row] = await coverage({ clusterId: "excused" }, { groupBy: "target", nowMs: timeMs });
        return [row?.expected, row?.received, row?.missed, row?.maintenance];
      };
      const span = { fromMs: t0 + 2 * intervalMs, toMs: t0 + 4 * intervalMs };
      await changed("maintenance", { subject: { uuid: "excused-1" }, ...span });
      expect(await target()).toEqual([6, 1, { refused: 5 }, 0]);
      await changed("maintenance", { subject: { hostname: "excused" }, ...span });
      expect(await target()).toEqual([4, 1, { refused: 3 }, 2]);
      await changed("decommission", { subject: { hostname: "excused" }, fromMs: t0 + 3 * intervalMs });
      expect(await target()).toEqual([2, 1, { refused: 1 }, 1]);
    });

    test("a host is decommissioned and restored with its devices, except those that were gone before", async () => {
      await read("host-1", t0, ["h1-a", "h1-b"]);
      await changed("decommission", { subject: { uuid: "h1-a" }, fromMs: t0 + minute, note: "broken" });
      const subject = { hostname: "host-1" };
      const host = await changed("decommission", { subject, fromMs: t0 + intervalMs });
      expect(host).toMatchObject({ uuid: "", state: "decommissioned", fromMs: t0 + intervalMs });
      const states = async () => (await items({ hostname: "host-1" })).map(({ state }) => state);
      expect(await states()).toEqual(["decommissioned", "decommissioned", "decommissioned"]);
      await changed("restore", { subject });
      expect(await states()).toEqual(["active", "decommissioned", "active"]);
      await changed("restore", { subject: { uuid: "h1-a" }, fromMs: t0 });
      expect(await states()).toEqual(["active", "active", "active"]);
    });

    test("two operators at once leave one state, and the same change twice is one", async () => {
      await read("busy", t0, ["busy-1"]);
      const subject = { uuid: "busy-1" };
      const both = await Promise.all([changed("decommission", { subject }), changed("decommission", { subject })]);
      expect(both[0]?.fromMs).toBe(both[1]?.fromMs as number);
      expect(both[0]?.fromMs).toBeGreaterThan(t0);
      expect(stateOf(await changed("restore", { subject })).state).toBe("active");
      const toMs = Date.now() + coverageHourMs;
      const first = await changed("maintenance", { subject: { hostname: "busy" }, toMs, note: "fans" });
      const second = await changed("maintenance", { subject: { hostname: "busy" }, toMs });
      expect(stateOf(second)).toEqual(stateOf(first));
      expect((await items(subject)).map(stateOf)).toEqual([stateOf(first)]);
      await changed("restore", { subject: { hostname: "busy" } });
      expect((await items({ hostname: "busy" })).map(({ state }) => state)).toEqual(["active", "active"]);
    });

    test("a maintenance that is still to come is shown, and overlapping ones last until the last ends", async () => {
      await read("later", t0, ["later-1"]);
      const subject = { hostname: "later" };
      const now = Date.now();
      const planned = await changed("maintenance", {
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
      await changed("maintenance", { subject, fromMs: now - 60_000, toMs: now + 60_000 });
      const item = await changed("maintenance", { subject, fromMs: now - 60_000, toMs: now + 600_000 });
      expect(stateOf(item)).toMatchObject({ state: "maintenance", toMs: now + 600_000 });
    });

    test("what cannot be right is refused, and says what is known", async () => {
      await read("gpu-node-01", t0, ["GPU-known-1"]);
      await read("gpu-node-02", t0, ["GPU-known-2"]);
      expect(await change("decommission", { subject: { hostname: "gpu-node-1" } })).toEqual({
        kind: "unknown",
        near: ["gpu-node-01", "gpu-node-02"],
      });
      expect(await change("decommission", { subject: { uuid: "GPU-known-3" } })).toMatchObject({ kind: "unknown" });
      const subject = { uuid: "GPU-known-1" };
      expect(await change("decommission", { subject, fromMs: t0 - 2 * intervalMs })).toEqual({
        ...{ kind: "has_reported", uuid: "GPU-known-1", lastSeenAtMs: t0 },
      });
      expect(await change("maintenance", { subject, fromMs: t0, toMs: t0 })).toEqual({
        kind: "ends_before_begin",
        fromMs: t0,
      });
      expect(await change("maintenance", { subject, toMs: t0 })).toMatchObject({ kind: "ends_before_begin" });
      const declared = { clusterId: "other", hostname: "gpu-node-01", uuid: "", gpus: 8 };
      await opened.inventory.declare([declared]);
      expect(await change("maintenance", { subject: { hostname: "gpu-node-01" } })).toEqual({
        ...{ kind: "several_clusters", clusterIds: ["gpu-node-01", "other"] },
      });
      await opened.inventory.withdraw({ hostname: "gpu-node-01", clusterId: "other" });
      expect((await changed("maintenance", { subject: { hostname: "gpu-node-01" } })).state).toBe("maintenance");
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
        (await items({ clusterId: "declared" })).map(({ hostname, uuid, gpus, declaredBy }) => [
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

    test("aggregates expect nothing of devices that are gone or under maintenance", async () => {
      for (let at = 0; at < 6; at += 1)
        await read("sums", t0 + at * intervalMs, ["sum-1", ...(at < 2 ? ["sum-2"] : [])]);
      const aggregated = async () => {
        const range = { fromMs: t0, toMs: t0 + coverageHourMs };
        const filter = {
          groupBy: "cluster" as const,
          gpus: { clusterId: "sums" },
          resolution: "1h" as const,
          limit: 10,
          range,
        };
        return (await opened.queries.aggregates.byGroup({ ...filter, metrics: ["temperature"] })).map(
          ({ expected }) => expected,
        );
      };
      expect(await aggregated()).toEqual([12]);
      await changed("maintenance", {
        subject: { uuid: "sum-2" },
        fromMs: t0 + 2 * intervalMs,
        toMs: t0 + 4 * intervalMs,
      });
      expect(await aggregated()).toEqual([10]);
      await changed("decommission", { subject: { uuid: "sum-2" }, fromMs: t0 + 3 * intervalMs });
      expect(await aggregated()).toEqual([8]);
    });
  });
}
