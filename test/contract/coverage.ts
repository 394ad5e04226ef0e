import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { coverageHourMs, type CoverageFilter, type CoverageRow } from "../../src/domain/coverage.ts";
import type { SourceReading } from "../../src/domain/reading.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import {
  deviceCount,
  fleet,
  frozenOf,
  hours,
  intervalMs,
  minute,
  modelOf,
  play,
  t0,
  timeOf,
} from "./coverage-model.ts";
import { propertyRuns } from "../support/property-runs.ts";

const sumOf = (counts: object): number => Object.values(counts).reduce((sum: number, count) => sum + Number(count), 0);

/** The contract of coverage on every engine. */
export function exerciseCoverage(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the coverage ledger`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    const filter = (gpus: CoverageFilter["gpus"], more: Partial<CoverageFilter> = {}): CoverageFilter => ({
      ...{ groupBy: "device", gpus, step: "hour", nowMs: t0 + hours * coverageHourMs, limit: 10_000 },
      range: { fromMs: t0, toMs: t0 + hours * coverageHourMs },
      ...more,
    });
    const rowsOf = async (gpus: CoverageFilter["gpus"], more: Partial<CoverageFilter> = {}) =>
      (await opened.queries.coverage.coverage(filter(gpus, more))).rows;

    test("of each device and hour, expected = received + missed, whatever dies, and whatever comes twice", async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fleet, async (played) => {
          const prefix = `fleet ${run++}`;
          const messages = play(prefix, played);
          for (const [at, message] of messages.entries()) {
            await opened.store.ingest(message);
            if (played.twice.includes(at))
              await opened.store.ingest({ ...message, messageId: `${message.messageId} again` });
          }
          const nowMs = timeOf(played, played.ticks.length - 1 + played.laterIntervals);
          const rows = await rowsOf({ clusterId: prefix }, { nowMs });
          for (let device = 0; device < deviceCount; device += 1) {
            const byHour = modelOf(played, nowMs, device);
            const ofDevice = rows.filter(({ group }) => group[2] === `${prefix}-${device}`);
            expect(ofDevice.map(({ timeMs }) => timeMs)).toEqual([...byHour.keys()]);
            for (const { timeMs, expected, received, frozen, missed, basis } of ofDevice) {
              const model = byHour.get(timeMs);
              expect([expected, received, frozen]).toEqual([model?.expected, model?.received ?? NaN, model?.frozen]);
              expect(received + sumOf(missed)).toBe(expected ?? NaN);
              expect(missed).toEqual(model?.missed ?? {});
              expect(basis).toBe("schedule");
            }
          }
          const totalOf = async (groupBy: "host" | "cluster" | "target") =>
            (await rowsOf({ clusterId: prefix }, { nowMs, groupBy, step: "total" }))[0];
          const expected = rows.reduce((sum, row) => sum + (row.expected ?? NaN), 0);
          expect((await totalOf("cluster"))?.expected ?? 0).toBe(expected);
          for (const groupBy of ["host", "cluster", "target"] as const) {
            expect((await totalOf(groupBy))?.frozen ?? 0).toBe(frozenOf(played));
          }
        }),
        { numRuns: propertyRuns(4) },
      );
    }, 120_000);

    const store = async (source: string, timeMs: number, uuids: readonly string[], count = 1): Promise<void> => {
      const records = uuids.map((uuid) => {
        return { uuid, hostname: source, clusterId: source, timeMs, metrics: { temperature: 1 } };
      });
      const batch = { ...makeBatch(records), reading: { timeMs, intervalMs, outcome: "read" as const, count } };
      await opened.store.ingest(messageOf(`${source} ${timeMs} ${uuids.join()}`, batch, { source }));
    };

    test("a target that never answered is in the ledger, with its reason", async () => {
      const reading: SourceReading = {
        timeMs: t0 + minute,
        intervalMs,
        outcome: "missed",
        reason: "refused",
        count: 1,
      };
      await opened.store.ingest(messageOf("never answers", { ...makeBatch([]), reading }));
      const rows = await rowsOf({}, { groupBy: "target", nowMs: t0 + 2 * minute });
      const [row] = rows.filter(({ group }) => group[0] === "never answers");
      expect(row).toMatchObject({ expected: 1, received: 0, missed: { refused: 1 }, devices: 0, intervalMs });
    });

    test("a reading that takes several messages counts once, and all of its devices belong to the source", async () => {
      await store("in parts", t0, ["part-1"], 0);
      await store("in parts", t0, ["part-2"]);
      const [target] = (await rowsOf({ clusterId: "in parts" }, { groupBy: "target", nowMs: t0 })) as [CoverageRow];
      expect(target).toMatchObject({ expected: 1, received: 1, devices: 2 });
      const devices = await rowsOf({ clusterId: "in parts" }, { nowMs: t0 });
      expect(devices.map(({ expected, received }) => [expected, received])).toEqual([
        [1, 1],
        [1, 1],
      ]);
    });

    test("a device that another source reports now is no longer expected of the former one", async () => {
      for (const at of [0, 1]) await store("former name", t0 + at * intervalMs, ["moved", "stayed"]);
      for (const at of [2, 3, 4]) await store("former name", t0 + at * intervalMs, ["stayed"]);
      for (const at of [2, 3, 4]) await store("new name", t0 + at * intervalMs + 1000, ["moved"]);
      const rows = await rowsOf({ uuids: ["moved"] }, { nowMs: t0 + 5 * intervalMs });
      expect(rows.map(({ expected, received, missed }) => ({ expected, received, missed }))).toEqual([
        { expected: 5, received: 5, missed: {} },
      ]);
    });

    test("readings that were missed together are missed in the hours in which they were due", async () => {
      await store("long gap", t0, ["gap"]);
      const timeMs = t0 + 2 * coverageHourMs;
      const reading: SourceReading = { timeMs, intervalMs, outcome: "missed", reason: "no_streamer", count: 12 };
      await opened.store.ingest(messageOf("the gap", { ...makeBatch([]), reading }, { source: "long gap" }));
      const rows = await rowsOf({ uuids: ["gap"] }, { nowMs: timeMs });
      expect(rows.map(({ expected, received, missed }) => [expected, received, missed.no_streamer])).toEqual([
        [6, 1, 5],
        [6, 0, 6],
        [1, 0, 1],
      ]);
    });

    test("without a schedule, it is learned from the records what is expected, and unknown where there are too few", async () => {
      const at = (uuid: string, ...minutes: number[]) =>
        minutes.map((each) => {
          return { uuid, clusterId: "file", hostname: "file", timeMs: t0 + each * minute, metrics: { temperature: 1 } };
        });
      await opened.store.ingest(messageOf("alone", makeBatch([{ ...at("alone", 1)[0], clusterId: "alone" } as never])));
      expect(await rowsOf({ uuids: ["alone"] })).toMatchObject([
        { expected: undefined, received: 1, basis: "unknown" },
      ]);
      await opened.store.ingest(messageOf("file", makeBatch(at("learned", 0, 10, 20, 30, 50, 140))));
      const rows = await rowsOf({ uuids: ["learned"] });
      expect(rows.map(({ expected, received, basis, intervalMs: ms }) => [expected, received, basis, ms])).toEqual([
        [6, 5, "learned", intervalMs],
        [6, 0, "learned", intervalMs],
        [3, 1, "learned", intervalMs],
      ]);
      expect(rows[1]?.missed).toEqual({ absent: 6 });
    });

    test("a device that stops in the middle of a file is missed until the file ends, and until another file reports it", async () => {
      const records = (uuid: string, from: number, to: number) =>
        Array.from({ length: (to - from) / 10 + 1 }, (_, index) => {
          const timeMs = t0 + (from + index * 10) * minute;
          return { uuid, clusterId: "cut", hostname: "cut", timeMs, metrics: { temperature: 1 } };
        });
      const file = [...records("stays", 4, 164), ...records("stops", 5, 35), ...records("moves", 5, 65)];
      await opened.store.ingest(messageOf("cut file", makeBatch(file)));
      await opened.store.ingest(messageOf("next file", makeBatch(records("moves", 95, 115))));
      const counts = async (uuid: string, more: Partial<CoverageFilter> = {}) =>
        (await rowsOf({ uuids: [uuid] }, more)).map(({ expected, received, missed }) => [expected, received, missed]);
      expect(await counts("stays")).toEqual([
        [6, 6, {}],
        [6, 6, {}],
        [5, 5, {}],
      ]);
      expect(await counts("stops")).toEqual([
        [6, 4, { absent: 2 }],
        [6, 0, { absent: 6 }],
        [4, 0, { absent: 4 }],
      ]);
      expect(await counts("moves")).toEqual([
        [6, 6, {}],
        [6, 4, { absent: 2 }],
      ]);
      const lastHour = { range: { fromMs: t0 + 2 * coverageHourMs, toMs: t0 + 3 * coverageHourMs } };
      const rows = await rowsOf({ clusterId: "cut" }, { ...lastHour, groupBy: "host" });
      expect(rows).toMatchObject([{ devices: 2, expected: 9, received: 5, missed: { absent: 4 }, basis: "learned" }]);
    });

    test("a page ends at the limit, and the next one begins after its last row; pages have the rows of the whole", async () => {
      await store("pages", t0, ["page-a", "page-B", "page-c"]);
      await store("pages", t0 + 3 * coverageHourMs, ["page-c", "page-d"]);
      const at = (uuid: string, ...hour: number[]) =>
        hour.map((each) => {
          const timeMs = t0 + each * coverageHourMs;
          return { uuid, clusterId: "pages", hostname: "of a file", timeMs, metrics: { temperature: 1 } };
        });
      const file = [...at("page-f", 1, 1.25, 1.5, 2.25, 3.5), ...at("page-g", 0), ...at("page-h", 2, 3)];
      await opened.store.ingest(messageOf("file of pages", makeBatch(file)));
      const read = async (limit: number, more: Partial<CoverageFilter>) => {
        const all: CoverageRow[] = [];
        let after: CoverageFilter["after"];
        do {
          const page = { limit, nowMs: t0 + hours * coverageHourMs, ...more, ...(after && { after }) };
          const { rows, next } = await opened.queries.coverage.coverage(filter({ clusterId: "pages" }, page));
          all.push(...rows);
          after = next;
        } while (after !== undefined);
        return all;
      };
      const range = { fromMs: t0 - 8 * coverageHourMs, toMs: t0 + hours * coverageHourMs };
      for (const [step, count, limits] of [
        ["hour", 22, [4, 9]],
        ["total", 7, [2]],
      ] as const) {
        const whole = await read(100, { step, range });
        expect(whole.length).toBe(count);
        for (const limit of limits) expect(await read(limit, { step, range })).toEqual(whole);
        const hosts = await read(100, { step, range, groupBy: "host" });
        const sum = (rows: readonly CoverageRow[]) => rows.reduce((all, { received }) => all + received, 0);
        expect(sum(hosts)).toBe(sum(whole));
      }
    });

    test("frozen readings are deleted with the records, so that records that are stored again count once", async () => {
      const repeat = async (id: string) => {
        const records = ["repeats", "works"].map((uuid) => ({ uuid, timeMs: t0, metrics: { temperature: 1 } }));
        const repeated = { frozen: 1, frozenDevices: ["repeats"] };
        const reading: SourceReading = { timeMs: t0, intervalMs, outcome: "read", count: 1, ...repeated };
        await opened.store.ingest(messageOf(id, { ...makeBatch(records), reading }, { source: "repeats" }));
        return (await rowsOf({ uuids: ["repeats", "works"] })).slice(0, 2).map(({ frozen }) => frozen);
      };
      expect(await repeat("first time")).toEqual([1, 0]);
      await opened.retention.deleteOlder({ raw: 30, "1h": 0, usage: 0 });
      expect(await repeat("second time")).toEqual([1, 0]);
    });
  });
}
