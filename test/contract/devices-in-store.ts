import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { metrics } from "../../src/domain/metrics.ts";
import { migUuid } from "../../src/domain/mig-instance.ts";
import type { StoredRecord } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";

const t0 = Date.UTC(2025, 6, 18, 20, 42);
const [summed, greatest] = [metrics.find(({ fold }) => fold === "sum"), metrics.find(({ fold }) => fold === "max")];
const sumName = summed?.name ?? "";
const maxName = greatest?.name ?? "";

const inNamespace = (namespace: string, pod = `pod-${namespace}`) => ({ container: "main", pod, namespace });

/** The contract of a store for records of one device and instant that several batches have: each rule holds whichever batch comes
 *  first. Each test has uuids of its own. */
export function exerciseDevicesInStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps devices, series and occupants apart`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    /** Stores each record in a batch of its own; the source is the uuid. */
    const ingestEach = async (records: readonly TestRecord[]): Promise<void> => {
      for (const [index, record] of records.entries()) {
        const range = { source: record.uuid, from: index * 100, to: index * 100 + 100 };
        await opened.store.ingest(messageOf(`${record.uuid}-${index}`, makeBatch([record]), range));
      }
    };
    const recordsOf = async (uuid: string, more: object = {}): Promise<readonly StoredRecord[]> => {
      const filter = { gpus: { uuids: [uuid], ...more }, range: allTime, limit: 10 };
      return (await opened.queries.history.records(filter)).elements;
    };
    const totalsOf = async (source: string) => (await opened.store.progressOf(source)).totals;
    /** Both orders of two records, as two GPUs. */
    const inBothOrders = async (
      uuid: string,
      [a, b]: readonly [Partial<TestRecord>, Partial<TestRecord>],
    ): Promise<string[]> => {
      const recordOf = (order: string, part: Partial<TestRecord>): TestRecord => ({
        ...{ uuid: `${uuid}-${order}`, timeMs: t0, metrics: {} },
        ...part,
      });
      await ingestEach([recordOf("ab", a), recordOf("ab", b)]);
      await ingestEach([recordOf("ba", b), recordOf("ba", a)]);
      return [`${uuid}-ab`, `${uuid}-ba`];
    };

    test("if two batches have different values of one instant, the greater value is kept, and a conflict is counted", async () => {
      const uuids = await inBothOrders("differs", [
        { metrics: { power_draw: 71, temperature: 30, odd: 2 } },
        { metrics: { power_draw: 70, temperature: 30, odd: 3, even: 4 } },
      ]);
      for (const uuid of uuids) {
        expect(await recordsOf(uuid)).toMatchObject([
          { metrics: { power_draw: 71, temperature: 30 }, custom: { odd: 3, even: 4 } },
        ]);
        expect(await totalsOf(uuid)).toMatchObject({ conflicts: 2, recordsInserted: 1, recordsMerged: 1 });
      }
      await ingestEach([1, 2].map(() => ({ uuid: "equal", timeMs: t0, metrics: { power_draw: 70, odd: 1 } })));
      expect(await totalsOf("equal")).toMatchObject({ conflicts: 0, recordsMerged: 1 });
    });

    test("a smaller value counts as a conflict once, however often it comes, and however the rows are cut into batches", async () => {
      const rows = [40, 42, 41, 40, 42, 41, 40].map((temperature) => ({ timeMs: t0, metrics: { temperature } }));
      for (const size of [1, 2, 3, 7]) {
        const uuid = `cut-${size}`;
        for (let from = 0; from < rows.length; from += size) {
          const batch = makeBatch(rows.slice(from, from + size).map((row) => ({ ...row, uuid })));
          await opened.store.ingest(messageOf(`${uuid}-${from}`, batch, { source: uuid, from, to: from + size }));
        }
        expect(await totalsOf(uuid)).toMatchObject({ conflicts: 2 });
      }
    });

    test("the plain value of a metric is the fold of all its labelled series, even if they are in two batches", async () => {
      const uuids = await inBothOrders("series", [
        { metrics: { [`${sumName}{xid="31"}`]: 4, [`${maxName}{health_watch="MEM"}`]: 0 } },
        { metrics: { [`${sumName}{xid="45"}`]: 1, [`${maxName}{health_watch="NVLINK"}`]: 20 } },
      ]);
      for (const uuid of uuids) {
        const [record] = await recordsOf(uuid);
        expect(record?.metrics).toEqual({ [sumName]: 5, [maxName]: 20 });
        expect(record?.custom).toEqual({
          [`${sumName}{xid="31"}`]: 4,
          [`${sumName}{xid="45"}`]: 1,
          [`${maxName}{health_watch="MEM"}`]: 0,
          [`${maxName}{health_watch="NVLINK"}`]: 20,
        });
        expect(await totalsOf(uuid)).toMatchObject({ conflicts: 0 });
      }
    });

    test("a value that each vGPU repeats counts once, also if two batches have it", async () => {
      const uuids = await inBothOrders("vgpu", [
        { metrics: { [`${sumName}{vgpu="a"}`]: 7, [`${sumName}{xid="31"}`]: 2 } },
        { metrics: { [`${sumName}{vgpu="b"}`]: 7 } },
      ]);
      for (const uuid of uuids) expect((await recordsOf(uuid))[0]?.metrics).toEqual({ [sumName]: 9 });
    });

    test("metrics named __proto__ and constructor are stored and merged like any other", async () => {
      const uuids = await inBothOrders("names", [
        {
          metrics: Object.fromEntries([
            ["__proto__", 1],
            ["constructor", 2],
          ]),
        },
        {
          metrics: Object.fromEntries([
            ["__proto__", 3],
            ["toString", 4],
          ]),
        },
      ]);
      for (const uuid of uuids) {
        const [record] = await recordsOf(uuid);
        expect(Object.entries(record?.custom ?? {}).sort()).toEqual([
          ["__proto__", 3],
          ["constructor", 2],
          ["toString", 4],
        ]);
      }
    });

    test("two pods of two batches share a GPU: neither replaces the other, and a filter on either namespace finds it", async () => {
      const uuids = await inBothOrders("shared", [
        { metrics: { temperature: 1 }, workload: inNamespace("red"), sharing: [inNamespace("green")] },
        {
          metrics: { power_draw: 2 },
          workload: inNamespace("blue"),
          sharing: [{ ...inNamespace("red"), container: "" }],
        },
      ]);
      const occupants = ["blue", "green", "red"].map((namespace) => inNamespace(namespace));
      for (const uuid of uuids) {
        const [record] = await recordsOf(uuid);
        expect(record).toMatchObject({ metrics: { temperature: 1, power_draw: 2 }, occupants });
        const { workloads } = await opened.queries.fleet.changes({ uuid, range: allTime });
        expect(workloads).toEqual([{ fromMs: t0, occupants }]);
        for (const [namespace, count] of [
          ["red", 1],
          ["blue", 1],
          ["green", 1],
          ["", 0],
          ["other", 0],
        ] as const) {
          expect(await recordsOf(uuid, { namespace })).toHaveLength(count);
          expect(await opened.queries.fleet.gpus({ uuids: [uuid], namespace })).toHaveLength(count);
          expect(await opened.queries.fleet.latest({ uuids: [uuid], namespace })).toHaveLength(count);
          const filter = { gpus: { uuids: [uuid], namespace }, range: { fromMs: t0, toMs: t0 + 120_000 }, limit: 10 };
          // the rollup's namespaces are those at the beginning of its minute
          expect((await opened.queries.history.rollups(filter, "1m")).elements).toHaveLength(count);
        }
      }
    });

    test("a record that several pods share counts once in each of their namespaces", async () => {
      const uuid = "aggregated";
      const at = (second: number, workloads: readonly TestRecord["workload"][]): TestRecord => {
        const [workload, ...sharing] = workloads.filter((each) => each !== undefined);
        return {
          ...{ uuid, timeMs: t0 + second * 1000, metrics: { temperature: 10 + second }, sharing },
          ...(workload === undefined ? {} : { workload }),
        };
      };
      const shared = [inNamespace("one", "a"), inNamespace("one", "b"), inNamespace("two")];
      await ingestEach([at(0, shared), at(10, [inNamespace("one", "a")]), at(20, [])]);
      const rows = await opened.queries.aggregates.byGroup({
        groupBy: "namespace",
        metrics: ["temperature"],
        gpus: { uuids: [uuid] },
        range: { fromMs: t0, toMs: t0 + 60_000 },
        resolution: "1m",
        limit: 10,
        withExpected: false,
      });
      const counts = rows.map(({ group, metrics: { temperature } }) => `${group["namespace"]}:${temperature?.count}`);
      expect(counts.join(" ")).toBe(":1 one:2 two:1");
    });

    test("the MIG instances of a GPU are devices of their own, even if they have the same id and another profile", async () => {
      const parts = [
        ["3", "1g.10gb"],
        ["3", "2g.20gb"],
        ["4", "1g.10gb"],
      ] as const;
      const uuids = parts.map(([instanceId, profile]) => migUuid({ parentUuid: "GPU-cut", instanceId, profile }));
      const records = ["GPU-cut", ...uuids].map((uuid, index) => ({
        uuid,
        timeMs: t0,
        metrics: { memory_used_mb: index },
      }));
      await opened.store.ingest(messageOf("cut", makeBatch(records)));
      for (const [index, uuid] of ["GPU-cut", ...uuids].entries()) {
        expect(await recordsOf(uuid)).toMatchObject([{ metrics: { memory_used_mb: index } }]);
      }
    });

    test("of one uuid on two hosts at one instant, the record of the smaller host name is kept, and the other is rejected", async () => {
      const uuids = await inBothOrders("cloned", [
        { hostname: "vm-a", metrics: { temperature: 1, [`${sumName}{xid="31"}`]: 5 } },
        { hostname: "vm-b", metrics: { temperature: 2, power_draw: 3 }, workload: inNamespace("red") },
      ]);
      for (const uuid of uuids) {
        const records = await recordsOf(uuid);
        expect(records).toMatchObject([{ gpu: { hostname: "vm-a" }, occupants: [] }]);
        expect(records[0]?.metrics).toEqual({ temperature: 1, [sumName]: 5 });
        const { attributes, workloads } = await opened.queries.fleet.changes({ uuid, range: allTime });
        expect(attributes.map(({ hostname }) => hostname)).toEqual(["vm-a"]);
        expect(workloads.map(({ occupants }) => occupants)).toEqual([[]]);
        const rejections = await opened.queries.quarantine.rejections({ sourceId: uuid, limit: 10 });
        expect(rejections).toMatchObject([{ reason: "uuid_on_two_hosts", field: "hostname", value: "vm-b" }]);
        expect(rejections[0]?.message).toContain('"vm-a" and "vm-b"');
        expect(JSON.parse(rejections[0]?.raw ?? "")).toMatchObject({ hostname: "vm-b", temperature: 2, power_draw: 3 });
        expect((await totalsOf(uuid)).rejected).toEqual({ uuid_on_two_hosts: 1 });
      }
      expect((await totalsOf("cloned-ab")).recordsInserted + (await totalsOf("cloned-ba")).recordsInserted).toBe(2);
    });

    test("a GPU that moves between two rows of one batch is on its old host first and on its new host afterwards", async () => {
      for (const [uuid, order] of [
        ["forwards", [0, 1]],
        ["backwards", [1, 0]],
      ] as const) {
        const records = order.flatMap((place) =>
          [0, 1].map((second) => ({
            ...{ uuid, hostname: ["old-host", "new-host"][place] as string, metrics: { temperature: place } },
            timeMs: t0 + place * 60_000 + second * 1000,
          })),
        );
        await opened.store.ingest(messageOf(uuid, makeBatch(records)));
        expect((await recordsOf(uuid)).map(({ gpu }) => gpu.hostname)).toEqual([
          ...["old-host", "old-host", "new-host", "new-host"],
        ]);
        expect(await recordsOf(uuid, { hostname: "old-host" })).toHaveLength(2);
        expect(await opened.queries.fleet.gpus({ uuids: [uuid] })).toMatchObject([{ hostname: "new-host" }]);
      }
    });

    test("late records fill the fields that later records leave open, and replace none of their texts", async () => {
      const at = (second: number, more: Partial<TestRecord>): TestRecord => ({
        ...{ uuid: "left-open", timeMs: t0 + second * 1000, metrics: { temperature: second }, properties: {} },
        ...more,
      });
      await ingestEach([
        at(40, { driverVersion: "", modelName: "" }),
        at(20, { driverVersion: "535", modelName: "" }),
        at(30, { driverVersion: "", modelName: "", properties: { rack: "r2" } }),
        at(0, { driverVersion: "470", modelName: "H100", properties: { rack: "r1", serial: "7" } }),
        at(10, { driverVersion: "", modelName: "", properties: { rack: "r1" } }),
        // the same instant once more, with the field that it had left open
        at(20, { driverVersion: "", modelName: "H200" }),
      ]);
      const found = (await recordsOf("left-open")).map(({ gpu: { driverVersion, modelName, properties } }) => [
        ...[driverVersion, modelName, properties["rack"], properties["serial"]],
      ]);
      expect(found).toEqual([
        ["470", "H100", "r1", "7"],
        ["470", "H100", "r1", "7"],
        ["535", "H200", "r1", "7"],
        ["535", "H200", "r2", "7"],
        ["535", "H200", "r2", "7"],
      ]);
      const { attributes } = await opened.queries.fleet.changes({ uuid: "left-open", range: allTime });
      expect(attributes.map(({ fromMs }) => (fromMs - t0) / 1000)).toEqual([0, 20, 30]);
      expect(await opened.queries.fleet.gpus({ uuids: ["left-open"] })).toMatchObject([
        { driverVersion: "535", modelName: "H200", properties: { rack: "r2", serial: "7" } },
      ]);
    });
  });
}
