import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { coverageHourMs, type CoverageFilter, type CoverageRow } from "../../src/domain/coverage.ts";
import type { ReadingFault, SourceReading } from "../../src/domain/reading.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { IngestMessage } from "../../src/pipeline/store/telemetry-store.ts";

const t0 = Date.UTC(2025, 6, 18, 20);
const minute = 60_000;
const intervalMs = 10 * minute;
const perHour = coverageHourMs / intervalMs;
const hours = 4;

/** What becomes of a scheduled reading: the devices in it, a reason for which it is missed, or nothing, because its owner dies; the
 *  next owner then reports it. */
type Tick = readonly number[] | ReadingFault | "killed";

interface Fleet {
  readonly phaseMs: number;
  readonly ticks: readonly Tick[];
  /** Messages that are delivered twice, by their number. */
  readonly twice: readonly number[];
  /** How long after the last scheduled reading it is now, in intervals. */
  readonly laterIntervals: number;
}

const deviceCount = 3;
const tick: fc.Arbitrary<Tick> = fc.oneof(
  { weight: 6, arbitrary: fc.subarray([...Array(deviceCount).keys()]) },
  { weight: 2, arbitrary: fc.constantFrom<ReadingFault>("timeout", "refused", "http_status") },
  { weight: 2, arbitrary: fc.constant<"killed">("killed") },
);
const fleet: fc.Arbitrary<Fleet> = fc.record({
  phaseMs: fc.integer({ min: 0, max: intervalMs - 1 }),
  ticks: fc.array(tick, { minLength: 1, maxLength: (hours - 1) * perHour }),
  twice: fc.array(fc.nat(20), { maxLength: 5 }),
  laterIntervals: fc.integer({ min: 0, max: 8 }),
});

const isKilled = (each: Tick): boolean => each === "killed";
const timeOf = ({ phaseMs }: Fleet, index: number): number => t0 + phaseMs + index * intervalMs;

/** The messages of a fleet, and for each scheduled reading what is known of it when all of them are stored. */
function play(prefix: string, played: Fleet) {
  const messages: IngestMessage[] = [];
  let killed = 0;
  const send = (at: number, reading: Omit<SourceReading, "intervalMs" | "timeMs">, devices: readonly number[] = []) => {
    const timeMs = timeOf(played, at);
    const records = devices.map((device) => {
      return { uuid: `${prefix}-${device}`, hostname: prefix, clusterId: prefix, timeMs, metrics: { temperature: 1 } };
    });
    const batch = { ...makeBatch(records), reading: { ...reading, timeMs, intervalMs } };
    messages.push(messageOf(`${prefix} ${messages.length}`, batch, { source: prefix, from: timeMs, to: timeMs }));
  };
  played.ticks.forEach((each, index) => {
    // before the first reading, no owner knows of the source
    if (isKilled(each)) return void (killed += messages.length === 0 ? 0 : 1);
    if (killed > 0) send(index - 1, { outcome: "missed", reason: "no_streamer", count: killed });
    killed = 0;
    if (typeof each === "string") send(index, { outcome: "missed", reason: each as ReadingFault, count: 1 });
    else send(index, { outcome: "read", count: 1 }, each);
  });
  return messages;
}

/** What the coverage of a device has to be in each hour, from the list of what became of each scheduled reading. */
function modelOf(played: Fleet, nowMs: number, device: number) {
  const lastReported = played.ticks.findLastIndex((each) => !isKilled(each));
  const first = played.ticks.findIndex((each) => typeof each === "object" && each.includes(device));
  const byHour = new Map<number, { expected: number; received: number; missed: Record<string, number> }>();
  for (let index = 0; first !== -1 && timeOf(played, index) <= nowMs; index += 1) {
    const timeMs = timeOf(played, index);
    if (index < first || (index > lastReported && timeMs > nowMs - intervalMs)) continue;
    const hour = Math.floor(timeMs / coverageHourMs) * coverageHourMs;
    const counts = byHour.get(hour) ?? { expected: 0, received: 0, missed: {} };
    byHour.set(hour, counts);
    const each = played.ticks[index];
    counts.expected += 1;
    const reason =
      index > lastReported
        ? "unreported"
        : typeof each === "object"
          ? each.includes(device)
            ? undefined
            : "absent"
          : each === "killed"
            ? "no_streamer"
            : (each as string);
    if (reason === undefined) counts.received += 1;
    else counts.missed[reason] = (counts.missed[reason] ?? 0) + 1;
  }
  return byHour;
}

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
            for (const { timeMs, expected, received, missed, basis } of ofDevice) {
              const model = byHour.get(timeMs);
              expect({ expected, received }).toEqual({ expected: model?.expected, received: model?.received ?? NaN });
              expect(received + sumOf(missed)).toBe(expected ?? NaN);
              expect(missed).toEqual(model?.missed ?? {});
              expect(basis).toBe("schedule");
            }
          }
          const [total] = await rowsOf({ clusterId: prefix }, { nowMs, groupBy: "cluster", step: "total" });
          const expected = rows.reduce((sum, row) => sum + (row.expected ?? NaN), 0);
          expect(total?.expected ?? 0).toBe(expected);
        }),
        { numRuns: 12 },
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
  });
}
