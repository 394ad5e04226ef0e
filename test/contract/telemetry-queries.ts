import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allTime } from "../../src/domain/time-range.ts";
import type { GpuSelector } from "../../src/domain/gpu-selector.ts";
import type { HistoryCursor, RecordFilter, StoredRecord } from "../../src/domain/query.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { propertyRuns } from "../support/property-runs.ts";

const minuteMs = 60_000;
const hour = Date.UTC(2025, 6, 18, 20);

/** All pages of a query, in the order in which the query returns them. A cursor in the filter selects the first page. */
async function pagesOf(queries: TelemetryQueries, filter: RecordFilter): Promise<StoredRecord[][]> {
  const pages: StoredRecord[][] = [];
  let cursor: HistoryCursor | undefined;
  do {
    const page = await queries.history.records({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    pages.push([...page.elements]);
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

const idsOf = (records: readonly StoredRecord[]): string[] => records.map(({ gpu, timeMs }) => `${gpu.uuid}@${timeMs}`);

/** The contract of every driver's queries. Each test has its own GPUs, and its own names for the hosts, clusters, models
 *  and namespaces that it queries. */
export function exerciseTelemetryQueries(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the contract of telemetry queries`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    const store = (id: string, records: readonly TestRecord[]) =>
      opened.store.ingest(messageOf(id, makeBatch(records)));

    test("ends of series add up, are stored once, and are read by device and time", async () => {
      const end = (uuid: string, second: number, ...series: string[]) => ({
        uuid,
        timeMs: hour + second * 1000,
        series,
      });
      const batch = makeBatch([{ uuid: "ends-a", timeMs: hour, metrics: { temperature: 1 } }]);
      const first = messageOf("ends 1", { ...batch, ends: [end("ends-a", 9, "temperature", 'xid_errors{xid="31"}')] });
      await opened.store.ingest(first);
      await opened.store.ingest(first);
      const more = [
        end("ends-a", 9, "power_draw", "temperature"),
        end("ends-a", 2.125, "a"),
        end("ends-early", 9, "a"),
      ];
      await opened.store.ingest(messageOf("ends 2", { ...makeBatch([]), ends: more }));
      const ended = (fromSecond: number, toSecond: number, ...uuids: string[]) =>
        opened.queries.history.ends({
          uuids,
          range: { fromMs: hour + fromSecond * 1000, toMs: hour + toSecond * 1000 },
        });
      expect(await ended(0, 10, "ends-a", "ends-b")).toEqual([
        end("ends-a", 2.125, "a"),
        end("ends-a", 9, "power_draw", "temperature", 'xid_errors{xid="31"}'),
      ]);
      // messages are stored in any order: the first record of this device may follow
      expect(await ended(0, 10, "ends-early")).toEqual([end("ends-early", 9, "a")]);
      expect(await ended(2.126, 9, "ends-a")).toEqual([]);
      // of two ends of one instant, the later time of a last value counts; an end that does not know it concerns all values
      const since = (second: number, lastSecond: number) => ({
        ...end("ends-a", second, "a"),
        sinceMs: hour + lastSecond * 1000,
      });
      const withSince = [since(20, 18.5), since(30, 18.5), since(9, 3)];
      await opened.store.ingest(messageOf("ends 3", { ...makeBatch([]), ends: withSince }));
      await opened.store.ingest(messageOf("ends 4", { ...makeBatch([]), ends: [since(20, 17), since(30, 29)] }));
      expect(await ended(20, 40, "ends-a")).toEqual([since(20, 18.5), since(30, 29)]);
      expect(await ended(9, 10, "ends-a")).toEqual([
        end("ends-a", 9, "a", "power_draw", "temperature", 'xid_errors{xid="31"}'),
      ]);
      expect(await ended(0, 10, "ends-b")).toEqual([]);
      expect(await ended(0, 10)).toEqual([]);
    });

    test("pages go back in time without a gap or a repetition, even while records are stored", async () => {
      const records = Array.from({ length: 23 }, (_, index) => ({
        uuid: `page-${index % 3}`,
        clusterId: "paged",
        hostname: "paged-host",
        timeMs: hour + Math.floor(index / 3) * 1000,
        metrics: { temperature: index },
      }));
      await store("pages", records);
      for (const gpus of [
        { clusterId: "paged" },
        { hostname: "paged-host" },
        { uuids: ["page-0", "page-1", "page-2"] },
      ]) {
        const filter = { gpus, range: allTime };
        const first = await opened.queries.history.records({ ...filter, limit: 5 });
        // a record that is newer than all others must not shift the following pages
        await store(`later ${JSON.stringify(gpus)}`, [{ ...(records[0] as TestRecord), timeMs: hour + 3_600_000 }]);
        const rest = await pagesOf(opened.queries, {
          ...filter,
          limit: 5,
          ...(first.next === undefined ? {} : { cursor: first.next }),
        });
        const seen = idsOf([...first.elements, ...rest.flat()]).filter((id) => !id.endsWith(`@${hour + 3_600_000}`));
        expect(seen.sort()).toEqual(records.map(({ uuid, timeMs }) => `${uuid}@${timeMs}`).sort());
        expect(rest.slice(0, -1).every((page) => page.length === 5)).toBe(true);
      }
      const ofOne = await pagesOf(opened.queries, {
        gpus: { uuids: ["page-0"] },
        range: { fromMs: -Infinity, toMs: hour + 60_000 },
        limit: 3,
      });
      expect(ofOne.map((page) => page.map(({ timeMs }) => (timeMs - hour) / 1000))).toEqual([
        [5, 6, 7],
        [2, 3, 4],
        [0, 1],
      ]);
    });

    test("a record belongs to the host that its GPU was in at the record's instant", async () => {
      const at = (hostname: string, timeMs: number) => [
        { uuid: "mover", hostname, timeMs, metrics: { temperature: 1 } },
      ];
      await store("mover-1", at("mover-old", hour));
      await store("mover-2", at("mover-new", hour + 1000));
      const found = async (hostname: string) =>
        (await opened.queries.history.records({ gpus: { hostname }, range: allTime, limit: 9 })).elements;
      expect((await found("mover-old")).map(({ gpu, timeMs }) => [gpu.hostname, timeMs])).toEqual([
        ["mover-old", hour],
      ]);
      expect((await found("mover-new")).map(({ gpu, timeMs }) => [gpu.hostname, timeMs])).toEqual([
        ["mover-new", hour + 1000],
      ]);
      expect((await opened.queries.fleet.latest({ uuids: ["mover"] }))[0]?.gpu.hostname).toBe("mover-new");
    });

    test("rollups cover whole minutes and hours, and equal a direct calculation from the records", async () => {
      const arbitraryRecords = fc.uniqueArray(
        fc.record({ second: fc.nat({ max: 3 * 3600 - 1 }), power: fc.double({ min: -1e6, max: 1e6, noNaN: true }) }),
        { minLength: 1, maxLength: 40, selector: ({ second }) => second },
      );
      let run = 0;
      const property = fc.asyncProperty(arbitraryRecords, fc.nat({ max: 3 * 3600 }), async (samples, startSecond) => {
        run += 1;
        const uuid = `rolled-${run}`;
        const records = samples.map(({ second, power }) => ({
          uuid,
          timeMs: hour + second * 1000,
          metrics: { power_draw: power },
        }));
        await store(uuid, records);
        for (const [resolution, widthMs] of [
          ["1m", minuteMs],
          ["1h", 60 * minuteMs],
        ] as const) {
          const range = { fromMs: hour + startSecond * 1000, toMs: hour + 2 * 3_600_000 + 1 };
          const filter = { gpus: { uuids: [uuid] }, range, limit: 1000 };
          const { elements } = await opened.queries.history.rollups(filter, resolution);
          const groups = Map.groupBy(records, ({ timeMs }) => Math.floor(timeMs / widthMs) * widthMs);
          const expected = [...groups]
            .filter(([timeMs]) => timeMs >= range.fromMs && timeMs < range.toMs)
            .sort(([a], [b]) => a - b)
            .map(([timeMs, group]) => ({ timeMs, values: group.map(({ metrics }) => metrics.power_draw) }));
          expect(elements.map(({ timeMs, records: count }) => [timeMs, count])).toEqual(
            expected.map(({ timeMs, values }) => [timeMs, values.length]),
          );
          elements.forEach(({ metrics }, index) => {
            const values = expected[index]?.values ?? [];
            expect(Object.keys(metrics)).toEqual(["power_draw"]);
            expect(metrics.power_draw).toMatchObject({
              min: Math.min(...values),
              max: Math.max(...values),
              count: values.length,
            });
            const average = values.reduce((sum, value) => sum + value / values.length, 0);
            expect(Math.abs((metrics.power_draw?.avg ?? NaN) - average)).toBeLessThan(1e-6);
          });
        }
      });
      await fc.assert(property, { numRuns: propertyRuns(6) });
    });

    test("the pages of rollups go back in time, without a gap or a repetition", async () => {
      await store(
        "rolled pages",
        Array.from({ length: 10 }, (_, index) => ({
          uuid: "rolled-pages",
          timeMs: hour + index * minuteMs + 1,
          metrics: { temperature: index },
        })),
      );
      const all = { gpus: { uuids: ["rolled-pages"] }, range: allTime };
      const first = await opened.queries.history.rollups({ ...all, limit: 4 }, "1m");
      const second = await opened.queries.history.rollups(
        { ...all, limit: 9, ...(first.next === undefined ? {} : { cursor: first.next }) },
        "1m",
      );
      expect(first.elements.map(({ metrics }) => metrics.temperature?.avg)).toEqual([6, 7, 8, 9]);
      expect(second.elements.map(({ metrics }) => metrics.temperature?.avg)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(second.next).toBeUndefined();
    });

    test("in forward order, pages go from the oldest record to the newest without a gap or a repetition", async () => {
      const records = Array.from({ length: 17 }, (_, index) => ({
        uuid: `forth-${index % 3}`,
        clusterId: "forth",
        timeMs: hour + Math.floor(index / 3) * 1000,
        metrics: { temperature: index },
      }));
      await store("forth", records);
      const pages = await pagesOf(opened.queries, {
        gpus: { clusterId: "forth" },
        range: allTime,
        limit: 5,
        isForward: true,
      });
      expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 2]);
      const times = pages.flat().map(({ timeMs }) => timeMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(idsOf(pages.flat()).sort()).toEqual(records.map(({ uuid, timeMs }) => `${uuid}@${timeMs}`).sort());
      const first = await opened.queries.history.rollups(
        { gpus: { uuids: ["forth-0"] }, range: allTime, limit: 1, isForward: true },
        "1m",
      );
      expect(first.elements.map(({ timeMs }) => timeMs)).toEqual([hour]);
      expect(first.next).toBeUndefined();
    });

    test("records, rollups and GPUs are found by model and by the namespace that held the GPU", async () => {
      const held = (namespace: string) => ({ container: "c", pod: "p", namespace });
      await store("by model", [
        { uuid: "model-a", timeMs: hour, metrics: { temperature: 1 }, modelName: "Only A", workload: held("only-ml") },
        { uuid: "model-b", timeMs: hour, metrics: { temperature: 2 }, modelName: "Only B" },
        {
          uuid: "model-b",
          timeMs: hour + minuteMs,
          metrics: { temperature: 3 },
          workload: held("only-ml"),
          modelName: "Only B",
        },
      ]);
      const idsFor = async (gpus: GpuSelector, resolution?: "1m"): Promise<string[]> => {
        const all = { gpus, range: allTime, limit: 10 };
        const { elements } = await (resolution === undefined
          ? opened.queries.history.records(all)
          : opened.queries.history.rollups(all, resolution));
        return elements.map(({ gpu, timeMs }) => `${gpu.uuid}@${(timeMs - hour) / minuteMs}`);
      };
      for (const resolution of [undefined, "1m"] as const) {
        expect(await idsFor({ modelName: "Only A" }, resolution)).toEqual(["model-a@0"]);
        expect(await idsFor({ namespace: "only-ml" }, resolution)).toEqual(["model-a@0", "model-b@1"]);
        expect(await idsFor({ modelName: "Only B", namespace: "" }, resolution)).toEqual(["model-b@0"]);
      }
      const nowOf = async (gpus: GpuSelector) => (await opened.queries.fleet.gpus(gpus)).map(({ uuid }) => uuid);
      expect(await nowOf({ modelName: "Only B" })).toEqual(["model-b"]);
      expect(await nowOf({ namespace: "only-ml" })).toEqual(["model-a", "model-b"]);
      expect(await nowOf({ namespace: "only-ml", uuids: ["model-a", "nothing"] })).toEqual(["model-a"]);
      expect(await nowOf({ uuids: [] })).toEqual([]);
      expect(await nowOf({ modelName: "Only B", gpuId: 7 })).toEqual([]);
    });

    test("one query returns the newest records, or rollups, of each of several GPUs", async () => {
      const records = Array.from({ length: 30 }, (_, index) => ({
        uuid: `each-${index % 3}`,
        timeMs: hour + index * minuteMs,
        metrics: { temperature: index },
      }));
      await store("each", records);
      const uuids = ["each-0", "each-2", "each-2", "no such GPU"];
      const filter = { uuids, range: { fromMs: hour, toMs: hour + 25 * minuteMs }, limit: 2 };
      const minutesOf = (found: readonly { readonly gpu: { readonly uuid: string }; readonly timeMs: number }[]) =>
        found.map(({ gpu, timeMs }) => `${gpu.uuid}@${(timeMs - hour) / minuteMs}`);
      const newest = ["each-2@20", "each-0@21", "each-2@23", "each-0@24"];
      expect(minutesOf(await opened.queries.history.recordsOfEach(filter))).toEqual(newest);
      expect(minutesOf(await opened.queries.history.rollupsOfEach(filter, "1m"))).toEqual(newest);
    });

    test("500 records are counted exactly", async () => {
      const records = Array.from({ length: 500 }, (_, index) => ({
        uuid: `counted-${index % 5}`,
        clusterId: "counted",
        timeMs: hour + index * 1000,
        metrics: { temperature: index },
      }));
      await store("counted", records);
      expect(await opened.queries.aggregates.countRecords("counted")).toEqual({ count: 500, isEstimate: false });
      expect(await opened.queries.aggregates.countRecords("no such cluster")).toEqual({ count: 0, isEstimate: false });
    });

    test("aggregates group by GPU, host, cluster, model and namespace", async () => {
      const workload = (namespace: string) => ({ container: "c", pod: "p", namespace });
      await store("sums", [
        {
          uuid: "sum-1",
          hostname: "sum-a",
          clusterId: "sums",
          timeMs: hour,
          metrics: { temperature: 10, power_draw: 1 },
          workload: workload("red"),
        },
        {
          uuid: "sum-2",
          hostname: "sum-a",
          clusterId: "sums",
          timeMs: hour + 5000,
          metrics: { temperature: 20 },
          workload: workload("blue"),
        },
        {
          uuid: "sum-3",
          hostname: "sum-b",
          clusterId: "sums",
          timeMs: hour + 9000,
          metrics: { temperature: 40 },
          workload: workload("red"),
        },
        { uuid: "sum-3", hostname: "sum-b", clusterId: "sums", timeMs: hour + minuteMs, metrics: { temperature: 50 } },
      ]);
      const window = {
        range: { fromMs: hour, toMs: hour + minuteMs + 1 },
        gpus: { clusterId: "sums" },
        metrics: ["temperature"],
        limit: 100,
        withExpected: false,
      } as const;
      const sums = async (groupBy: "gpu" | "host" | "cluster" | "model" | "namespace") =>
        (await opened.queries.aggregates.byGroup({ ...window, groupBy, resolution: "1m" })).map(
          ({ timeMs, group, metrics: { temperature } }) => [
            ...[(timeMs - hour) / minuteMs, Object.values(group).join("/")],
            ...[temperature?.avg, temperature?.min, temperature?.max, temperature?.count],
          ],
        );
      expect(await sums("gpu")).toEqual([
        [0, "sum-1", 10, 10, 10, 1],
        [0, "sum-2", 20, 20, 20, 1],
        [0, "sum-3", 40, 40, 40, 1],
        [1, "sum-3", 50, 50, 50, 1],
      ]);
      expect(await sums("host")).toEqual([
        [0, "sums/sum-a", 15, 10, 20, 2],
        [0, "sums/sum-b", 40, 40, 40, 1],
        [1, "sums/sum-b", 50, 50, 50, 1],
      ]);
      expect(await sums("cluster")).toEqual([
        [0, "sums", 70 / 3, 10, 40, 3],
        [1, "sums", 50, 50, 50, 1],
      ]);
      expect(await sums("model")).toEqual([
        [0, "NVIDIA H100", 70 / 3, 10, 40, 3],
        [1, "NVIDIA H100", 50, 50, 50, 1],
      ]);
      expect(await sums("namespace")).toEqual([
        [0, "blue", 20, 20, 20, 1],
        [0, "red", 25, 10, 40, 2],
        [1, "", 50, 50, 50, 1],
      ]);
      const averages = async (gpus: GpuSelector, groupBy: "host" | "gpu") =>
        (await opened.queries.aggregates.byGroup({ ...window, gpus, groupBy, resolution: "1h" })).map(
          ({ metrics: { temperature } }) => temperature?.avg,
        );
      for (const groupBy of ["host", "gpu"] as const) {
        expect(await averages({ uuids: ["sum-3"] }, groupBy)).toEqual([45]);
        expect(await averages({ hostname: "sum-b" }, groupBy)).toEqual([45]);
        expect(await averages({ clusterId: "sums", modelName: "another" }, groupBy)).toEqual([]);
      }
      const [both] = await opened.queries.aggregates.byGroup({
        ...window,
        metrics: ["temperature", "power_draw"],
        groupBy: "cluster",
        resolution: "1h",
      });
      expect(both?.metrics).toEqual({
        temperature: { avg: 30, min: 10, max: 50, count: 4 },
        power_draw: { avg: 1, min: 1, max: 1, count: 1 },
      });
    });

    test("more rows than the limit are an error that suggests a coarser resolution", async () => {
      await store(
        "many",
        [0, 1, 2].map((minute) => ({
          uuid: "many",
          clusterId: "many",
          timeMs: hour + minute * minuteMs,
          metrics: { temperature: 1 },
        })),
      );
      const filter = {
        range: { fromMs: hour, toMs: hour + 10 * minuteMs },
        gpus: { clusterId: "many" },
        metrics: ["temperature"],
        groupBy: "gpu",
        resolution: "1m",
        withExpected: false,
      } as const;
      expect(await opened.queries.aggregates.byGroup({ ...filter, limit: 3 })).toHaveLength(3);
      const refusal = await opened.queries.aggregates.byGroup({ ...filter, limit: 2 }).catch((error: unknown) => error);
      expect(refusal).toMatchObject({
        code: "query_too_costly",
        message: expect.stringContaining("coarser resolution") as string,
      });
    });
  });
}
