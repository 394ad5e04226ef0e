import { describe, expect, test } from "bun:test";
import type { RecordBatch } from "../../src/domain/batch.ts";
import type { Workload } from "../../src/domain/gpu.ts";
import type { ContestedGpu } from "../../src/domain/query.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";
import { gpuAt, hotBatch, type HotRecord, t0 } from "../support/hot-records.ts";
import { hotTierForEach, type OpenHotTier } from "./hot-tier.ts";

/** What every driver of the hot tier keeps apart, and what it merges. */
export function exerciseHotTierDevices(name: string, open: () => Promise<OpenHotTier>): void {
  describe(`${name} keeps devices, series and occupants apart`, () => {
    const { start, follow } = hotTierForEach(open);

    test("an attribute that the newest record leaves open has the value of the newest record that has it, however late", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const write = (to: HotTier, at: number, driverVersion: string): Promise<void> =>
        to.write(hotBatch([{ gpu: gpuAt("h", 1, { driverVersion }), timeMs: t0 + at, metrics: { temperature: at } }]));
      await write(hotTier, 1, "535");
      await write(hotTier, 100, "");
      await write(other, 50, "550");
      await write(hotTier, 20, "540");
      await write(other, 120, "");
      await follower.newest("GPU-h-1", t0 + 120);
      await follower.until((members) => members.get("GPU-h-1")?.gpu.driverVersion === "550");
      await write(hotTier, 60, "560");
      await follower.until((members) => members.get("GPU-h-1")?.gpu.driverVersion === "560");
    });

    test("a newest record without values says until when attributes hold, and which are open, to every writer", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const at = (gpuId: number, ms: number, driverVersion: string, metrics: HotRecord["metrics"] = {}): HotRecord => ({
        gpu: gpuAt("h", gpuId, { driverVersion }),
        timeMs: t0 + ms,
        metrics,
      });
      await hotTier.write(hotBatch([at(1, 0, "535", { temperature: 1 }), at(2, 0, "535", { temperature: 1 })]));
      await hotTier.write(hotBatch([at(1, 20, "535", { temperature: 2 }), at(1, 100, "535")]));
      await hotTier.write(hotBatch([at(2, 50, "", { temperature: 2 }), at(2, 100, "")]));
      await other.write(hotBatch([at(1, 50, "550", { temperature: 3 }), at(2, 20, "550", { temperature: 3 })]));
      await other.write(hotBatch([at(3, 0, "535", { temperature: 1 })]));
      await follower.newest("GPU-h-3", t0);
      const driverOf = (gpuId: number) => follower.members.get(`GPU-h-${gpuId}`)?.gpu.driverVersion;
      expect([driverOf(1), driverOf(2)]).toEqual(["535", "550"]);
      // of the records with values, the late one of GPU 1 is the newest
      expect(follower.members.get("GPU-h-1")?.record).toMatchObject({ timeMs: t0 + 50, metrics: { temperature: 3 } });
      expect(follower.members.get("GPU-h-2")?.record).toMatchObject({ timeMs: t0 + 50, metrics: { temperature: 2 } });
    });

    test("the newest record with values has the place and the model of its own instant, wherever later records without values are", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const waysToArrive = [
        [["before"], ["withValues", "empty"]],
        [["before", "empty"], ["withValues"]],
        [["before"], ["withValues"], ["empty"]],
        [["empty"], ["withValues"]],
      ] as const;
      for (const [index, batches] of waysToArrive.entries()) {
        const at = (host: string, gpuId: number, modelName: string) =>
          gpuAt(host, gpuId, { uuid: `GPU-${index}`, modelName });
        const records = {
          before: { gpu: at("h0", index, "A100"), timeMs: t0 - 1000, metrics: { temperature: 39 } },
          withValues: { gpu: at("h1", index + 5, "H100"), timeMs: t0, metrics: { temperature: 40 } },
          empty: { gpu: at("h2", index + 3, "H200"), timeMs: t0 + 1000, metrics: {} },
        };
        for (const [number, names] of batches.entries()) {
          await (number === 0 ? hotTier : other).write(hotBatch(names.map((name) => records[name])));
        }
      }
      const late = follow(hotTier);
      for (const each of [follower, late]) {
        for (const index of waysToArrive.keys()) {
          const uuid = `GPU-${index}`;
          await each.newest(uuid, t0);
          await each.until((members) => members.get(uuid)?.gpu.hostname === "h2");
          const { gpu, record } = each.members.get(uuid) ?? {};
          expect(gpu).toMatchObject({
            hostname: "h2",
            gpuId: index + 3,
            device: `nvidia${index + 3}`,
            modelName: "H200",
          });
          expect(record?.metrics).toEqual({ temperature: 40 });
          // on its own: toMatchObject compares an object that is in two places only once
          expect(record?.gpu).toMatchObject({
            ...{ hostname: "h1", gpuId: index + 5, device: `nvidia${index + 5}`, modelName: "H100" },
          });
        }
      }
    });

    test("a record has the greater of two values, the plain values of all series and all occupants, from any writer", async () => {
      const { hotTier, other } = await start();
      const follower = follow(hotTier);
      const gpu = gpuAt("h", 0);
      const workload = (pod: string): Workload => ({ container: "", pod, namespace: "ml" });
      const series = { 'xid_errors{xid="31"}': 4, 'xid_errors{xid="45"}': 1 };
      const part = (to: HotTier, pod: string, values: HotRecord["metrics"]): Promise<void> =>
        to.write(hotBatch([{ gpu, timeMs: t0, metrics: values, workload: workload(pod) }]));
      await part(hotTier, "b", { temperature: 41, 'xid_errors{xid="31"}': 4, __proto__x: 1, ["__proto__"]: 5 });
      await part(other, "a", { temperature: 40, 'xid_errors{xid="45"}': 1, ["__proto__"]: 7 });
      await follower.until((members) => members.get(gpu.uuid)?.record?.occupants.length === 2);
      const { record } = await follower.newest(gpu.uuid, t0, 2);
      expect(record).toMatchObject({
        metrics: { temperature: 41, xid_errors: 5 },
        occupants: ["a", "b"].map(workload),
      });
      expect(Object.entries(record?.custom ?? {}).sort()).toEqual(
        Object.entries({ ...series, __proto__x: 1, ["__proto__"]: 7 }).sort(),
      );
    });

    test("MIG instances have slots of their own beside that of their GPU, and one that was cut again replaces only itself", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const write = (to: HotTier, at: number, ...uuids: string[]): Promise<void> =>
        to.write(
          hotBatch(
            uuids.map((uuid) => ({ gpu: gpuAt("h", 0, { uuid }), timeMs: t0 + at, metrics: { sm_active: at } })),
          ),
        );
      await write(hotTier, 1, "GPU-1", "GPU-1:mig:3:1g.10gb", "GPU-1:mig:4:1g.10gb", "MIG-6f1c", "mig-7a2d");
      await write(other, 2, "GPU-1", "GPU-1:mig:3:2g.20gb");
      await write(hotTier, 3, "GPU-1", "GPU-1:mig:4:1g.10gb");
      await follower.newest("GPU-1", t0 + 3);
      await follower.newest("GPU-1:mig:3:2g.20gb", t0 + 2);
      await follower.newest("GPU-1:mig:4:1g.10gb", t0 + 3);
      expect(follower.members.all().map(({ gpu }) => gpu.uuid)).toEqual([
        "GPU-1",
        "GPU-1:mig:3:1g.10gb",
        "GPU-1:mig:3:2g.20gb",
        "GPU-1:mig:4:1g.10gb",
        "MIG-6f1c",
        "mig-7a2d",
      ]);
    });

    test("of two hosts that report one uuid at the same instant, one is shown whole, whichever came first", async () => {
      const { hotTier, other } = await start();
      const follower = follow(hotTier);
      const write = (to: HotTier, host: string, uuid: string, metrics: HotRecord["metrics"]): Promise<void> =>
        to.write(hotBatch([{ gpu: gpuAt(host, 0, { uuid, modelName: host }), timeMs: t0, metrics }]));
      for (const [uuid, hosts] of [
        ["GPU-first", ["vm-a", "vm-b"]],
        ["GPU-second", ["vm-b", "vm-a"]],
      ] as const) {
        for (const host of hosts) {
          const value = host === "vm-a" ? 11 : 99;
          await write(host === "vm-a" ? hotTier : other, host, uuid, { temperature: value, [`of_${host}`]: 1 });
        }
        await follower.until((members) => members.get(uuid)?.record?.metrics["temperature"] === 11);
        expect(follower.members.get(uuid)).toMatchObject({
          gpu: { hostname: "vm-a", modelName: "vm-a" },
          record: { metrics: { temperature: 11 }, custom: { "of_vm-a": 1 } },
        });
        expect(Object.keys(follower.members.get(uuid)?.record?.custom ?? {})).toEqual(["of_vm-a"]);
      }
    });

    test("a replaced board gets the attributes and the first-seen time of its late records", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const write = (uuid: string, at: number, driverVersion: string): Promise<void> =>
        hotTier.write(
          hotBatch([{ gpu: gpuAt("h", 0, { uuid, driverVersion }), timeMs: t0 + at, metrics: { temperature: at } }]),
        );
      await write("GPU-new", 9, "560");
      await write("GPU-replaced", 5, "");
      await write("GPU-replaced", 3, "535");
      await follower.until((members) => members.get("GPU-replaced")?.gpu.driverVersion === "535");
      expect(follower.members.get("GPU-replaced")).toMatchObject({
        gpu: { firstSeenAtMs: t0 + 3, lastSeenAtMs: t0 + 5 },
        record: { timeMs: t0 + 5, metrics: { temperature: 5 } },
      });
    });

    test("a contested GPU has the state and the record of its last version, whatever its batches say and whichever arrives last", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const gpu = gpuAt("vm-a", 0, { uuid: "GPU-contested" });
      const stored = { ...gpu, firstSeenAtMs: t0, lastSeenAtMs: t0 + 12 };
      const batchAt = (host: string, at: number): RecordBatch => {
        const clone = gpuAt(host, 0, { uuid: gpu.uuid, modelName: "clone", properties: { serial: "clone" } });
        return hotBatch([{ gpu: clone, timeMs: t0 + at, metrics: { temperature: 99, [`of_${host}`]: 1 } }]);
      };
      const versionOf = (contestedVersion: number, at: number): ContestedGpu => {
        const metrics = { temperature: contestedVersion };
        return {
          gpu: { ...stored, contestedVersion },
          record: { gpu, timeMs: t0 + at, metrics, custom: {}, occupants: [] },
        };
      };
      await hotTier.write(batchAt("vm-b", 9));
      await hotTier.write(batchAt("vm-b", 9), [versionOf(5, 2)]);
      await other.write(batchAt("vm-b", 10), [versionOf(4, 3)]);
      await other.write(batchAt("vm-b", 11));
      await other.write(batchAt("vm-a", 12), [versionOf(6, 1)]);
      const late = follow(hotTier);
      for (const each of [follower, late]) {
        await each.until((members) => members.get(gpu.uuid)?.record?.metrics["temperature"] === 6);
        expect(each.members.get(gpu.uuid)?.gpu).toMatchObject(stored);
        expect(each.members.get(gpu.uuid)?.record).toMatchObject({ timeMs: t0 + 1, custom: {} });
        expect(each.members.get(gpu.uuid)?.record?.custom).toEqual({});
      }
    });
  });
}
