import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { coverageHourMs } from "../../src/domain/coverage.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { intervalMs, minute, t0, ToldInventory } from "../support/told-inventory.ts";
import { propertyRuns } from "../support/property-runs.ts";

const perHour = coverageHourMs / intervalMs;
const hours = 2;

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

/** The contract of what is expected of the devices in the inventory, on every engine. */
export function exerciseExpectedDevices(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} expects what the inventory says`, () => {
    let opened: OpenStore;
    let told: ToldInventory;
    beforeAll(async () => {
      opened = await open();
      told = new ToldInventory(opened);
    });
    afterAll(() => opened.close());

    test("of each hour, what is left out is what was due, not received, and gone or under maintenance", async () => {
      let run = 0;
      const ticks = fc.array(fc.boolean(), { minLength: 1, maxLength: hours * perHour });
      await fc.assert(
        fc.asyncProperty(ticks, fc.array(said, { maxLength: 3 }), async (received, spans) => {
          const id = `left out ${run++}`;
          const isRead = received.map((each, at) => each || at === 0);
          for (const [at, each] of isRead.entries()) await told.read(id, t0 + at * intervalMs, each ? [id] : []);
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
            if (action === "maintenance") await told.changed(action, { subject, fromMs, toMs });
            else if (isSilent) await told.changed(action, { subject, fromMs });
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
          const rows = await told.coverage({ uuids: [id] }, { nowMs });
          const found = rows.map(({ timeMs, expected, received: stored, maintenance, missed }) => {
            const missing = Object.values(missed).reduce((sum, count) => sum + count, 0);
            expect(stored + missing).toBe(expected ?? NaN);
            return [timeMs, { expected, received: stored, maintenance }];
          });
          const shown = [...model].filter(([, counts]) => counts.expected + counts.maintenance > 0);
          expect(found).toEqual(shown as never);
        }),
        { numRuns: propertyRuns(5) },
      );
    }, 120_000);

    test("a device that was decommissioned is no longer expected, nor is its MIG instance, and comes back with a record", async () => {
      const instance = "gone:mig:1:1g.10gb";
      await told.read("rack", t0, ["gone", instance, "stays"]);
      const fromMs = t0 + 2 * intervalMs;
      const item = await told.changed("decommission", { subject: { uuid: "gone" }, fromMs, note: "sold" });
      expect(item).toMatchObject({ state: "decommissioned", fromMs, toMs: undefined, note: "sold" });
      const nowMs = t0 + 5 * intervalMs;
      const expected = async () =>
        (await told.coverage({ clusterId: "rack" }, { nowMs })).map((row) => [row.group[2], row.expected]);
      for (let at = 1; at <= 3; at += 1) await told.read("rack", t0 + at * intervalMs, ["stays"]);
      expect(await expected()).toEqual([
        ["gone", 2],
        [instance, 2],
        ["stays", 5],
      ]);
      expect((await told.items({ clusterId: "rack", state: "decommissioned" })).map(({ uuid }) => uuid)).toEqual([
        "gone",
        instance,
      ]);
      expect(await opened.inventory.noteReturned()).toEqual([]);

      const returnedAtMs = t0 + 4 * intervalMs;
      await told.read("rack", returnedAtMs, ["gone", "stays"]);
      await told.read("rack", t0 + 5 * intervalMs, ["stays"]);
      expect(await expected()).toEqual([
        ["gone", 4],
        [instance, 2],
        ["stays", 6],
      ]);
      const [back] = await told.items({ uuid: "gone" });
      expect(back).toMatchObject({ state: "active", returnedAtMs });
      const notes = await Promise.all([opened.inventory.noteReturned(), opened.inventory.noteReturned()]);
      expect(notes.flat()).toEqual([{ clusterId: "rack", hostname: "rack", uuid: "gone", returnedAtMs }]);
      expect(await expected()).toEqual([
        ["gone", 4],
        [instance, 2],
        ["stays", 6],
      ]);
      const again = await told.changed("decommission", { subject: { uuid: "gone" }, fromMs: t0 + 6 * intervalMs });
      expect(again).toMatchObject({ state: "decommissioned", fromMs: t0 + 6 * intervalMs });
    });

    test("what a device reports until it is switched off does not bring it back", async () => {
      await told.read("switch", t0, ["switched"]);
      await told.changed("decommission", { subject: { uuid: "switched" }, fromMs: t0 + minute });
      await told.read("switch", t0 + intervalMs, ["switched"]);
      const [row] = await told.coverage({ uuids: ["switched"] }, { nowMs: t0 + 4 * intervalMs });
      expect(row).toMatchObject({ expected: 2, received: 2, missed: {} });
      expect(await opened.inventory.noteReturned()).toEqual([]);
    });

    test("a target is excused while all of its devices are under maintenance", async () => {
      await told.read("excused", t0, ["excused-1", "excused-2"]);
      const timeMs = t0 + 5 * intervalMs;
      const reading = { timeMs, intervalMs, outcome: "missed" as const, reason: "refused" as const, count: 5 };
      await opened.store.ingest(messageOf("excused refused", { ...makeBatch([]), reading }, { source: "excused" }));
      const target = async () => {
        const [row] = await told.coverage({ clusterId: "excused" }, { groupBy: "target", nowMs: timeMs });
        return [row?.expected, row?.received, row?.missed, row?.maintenance];
      };
      const span = { fromMs: t0 + 2 * intervalMs, toMs: t0 + 4 * intervalMs };
      await told.changed("maintenance", { subject: { uuid: "excused-1" }, ...span });
      expect(await target()).toEqual([6, 1, { refused: 5 }, 0]);
      await told.changed("maintenance", { subject: { hostname: "excused" }, ...span });
      expect(await target()).toEqual([4, 1, { refused: 3 }, 2]);
      await told.changed("decommission", { subject: { hostname: "excused" }, fromMs: t0 + 3 * intervalMs });
      expect(await target()).toEqual([2, 1, { refused: 1 }, 1]);
    });

    test("what was declared and has never reported is missing from then on, until it is seen", async () => {
      const { inventory } = opened;
      await told.read("declaring", t0, ["declaring-1"]);
      const place = { clusterId: "declaring", hostname: "declaring" };
      await inventory.declare([
        { ...place, uuid: "", gpus: 4 },
        { ...place, uuid: "declaring-2", gpus: undefined },
        { clusterId: "without source", hostname: "lonely", uuid: "", gpus: 2 },
      ]);
      const nowMs = Date.now() + 10 * coverageHourMs;
      const hour = Math.ceil((nowMs - 3 * coverageHourMs) / coverageHourMs) * coverageHourMs;
      const range = { fromMs: hour, toMs: hour + coverageHourMs };
      const unseen = async (clusterId: string) =>
        (await told.coverage({ clusterId }, { nowMs, range }))
          .filter(({ group }) => group[2] !== "declaring-1")
          .map(({ group, devices, expected, received, missed, maintenance, basis }) => {
            return [group[2], devices, expected, received, missed, maintenance, basis];
          });
      expect(await unseen("declaring")).toEqual([
        ["", 2, 12, 0, { never_seen: 12 }, 0, "declared"],
        ["declaring-2", 1, 6, 0, { never_seen: 6 }, 0, "declared"],
      ]);
      expect(await unseen("without source")).toEqual([["", 2, undefined, 0, {}, 0, "unknown"]]);
      const [host] = await told.coverage({ hostname: "declaring" }, { nowMs, range, groupBy: "host" });
      expect(host).toMatchObject({ devices: 4, expected: 24, received: 0, basis: "mixed" });
      await told.changed("maintenance", {
        subject: { uuid: "declaring-2" },
        fromMs: hour,
        toMs: hour + 3 * intervalMs,
      });
      await told.changed("decommission", { subject: { hostname: "lonely" } });
      expect(await unseen("declaring")).toContainEqual(["declaring-2", 1, 3, 0, { never_seen: 3 }, 3, "declared"]);
      expect(await unseen("without source")).toEqual([]);
      await told.read("declaring", hour, ["declaring-1", "declaring-2"]);
      expect((await unseen("declaring")).map(([uuid, , , received]) => [uuid, received])).toEqual([
        ["", 0],
        ["declaring-2", 1],
      ]);
      expect(await told.coverage({ clusterId: "declaring", modelName: "none" }, { nowMs, range })).toEqual([]);
    });

    test("aggregates expect nothing of devices that are gone or under maintenance", async () => {
      for (let at = 0; at < 6; at += 1)
        await told.read("sums", t0 + at * intervalMs, ["sum-1", ...(at < 2 ? ["sum-2"] : [])]);
      const aggregated = async () => {
        const range = { fromMs: t0, toMs: t0 + coverageHourMs };
        const filter = {
          groupBy: "cluster" as const,
          gpus: { clusterId: "sums" },
          resolution: "1h" as const,
          limit: 10,
          withExpected: true,
          range,
        };
        return (await opened.queries.aggregates.byGroup({ ...filter, metrics: ["temperature"] })).map(
          ({ expected }) => expected,
        );
      };
      expect(await aggregated()).toEqual([12]);
      await told.changed("maintenance", {
        subject: { uuid: "sum-2" },
        fromMs: t0 + 2 * intervalMs,
        toMs: t0 + 4 * intervalMs,
      });
      expect(await aggregated()).toEqual([10]);
      await told.changed("decommission", { subject: { uuid: "sum-2" }, fromMs: t0 + 3 * intervalMs });
      expect(await aggregated()).toEqual([8]);
    });
  });
}
