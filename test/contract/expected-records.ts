import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { coverageHourMs } from "../../src/domain/coverage.ts";
import { noWorkload } from "../../src/domain/gpu.ts";
import { type AggregateFilter, type AggregateRow, groupings, type Grouping } from "../../src/domain/query.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { minute, t0 } from "../support/told-inventory.ts";
import { propertyRuns } from "../support/property-runs.ts";

const second = 1000;
const hour = coverageHourMs;
const widths = { "1m": minute, "1h": hour } as const;

/** A device, with what became of each record that was due. */
interface Device {
  readonly stepMs: number;
  readonly fromMs: number;
  /** The namespaces of the workloads in each record; undefined: the record is missing. */
  readonly slots: readonly (readonly string[] | undefined)[];
}

const namespaces = fc.subarray(["blue", "red"]);
const device = (slot: fc.Arbitrary<readonly string[] | undefined>): fc.Arbitrary<Device> =>
  fc.record({
    stepMs: fc.constantFrom(15 * second, 45 * second, 4 * minute, 7 * minute + 1),
    fromMs: fc.nat({ max: hour - 1 }).map((ms) => t0 + ms),
    slots: fc
      .array(fc.tuple(slot, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 5 })
      .map((runs) => runs.flatMap(([each, count]) => Array.from({ length: count }, () => each))),
  });

function recordsOf(uuid: string, { stepMs, fromMs, slots }: Device, place: string): TestRecord[] {
  return slots.flatMap((held, at) => {
    if (held === undefined) return [];
    const [workload = noWorkload, ...sharing] = held.map((namespace) => {
      return { container: "c", pod: "p", namespace: `${place} ${namespace}` };
    });
    const timeMs = fromMs + at * stepMs;
    return [{ uuid, hostname: place, clusterId: place, timeMs, metrics: { temperature: 1 }, workload, sharing }];
  });
}

/** The contract of what an aggregate says of the records that were due, on every engine. */
export function exerciseExpectedRecords(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} says beside every aggregate how many records were due`, () => {
    let opened: OpenStore;
    let runs = 0;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    const aggregates = (clusterId: string, groupBy: Grouping, more: Partial<AggregateFilter> = {}) =>
      opened.queries.aggregates.byGroup({
        ...{
          groupBy,
          metrics: ["temperature"],
          gpus: { clusterId },
          resolution: "1h",
          limit: 100_000,
          withExpected: true,
        },
        range: { fromMs: t0, toMs: t0 + 3 * hour },
        ...more,
      });
    const storeFile = (id: string, records: readonly TestRecord[]) =>
      opened.store.ingest(messageOf(id, makeBatch(records)));
    const countOf = ({ metrics }: AggregateRow) => metrics.temperature?.count;
    const expectedOf = (rows: readonly AggregateRow[]) => rows.map(({ expected }) => expected);

    /** A source that is read every ten minutes; its host and cluster have its name. */
    const readLive = async (source: string, held: readonly (readonly string[])[], fromMs = t0) => {
      const stepMs = 10 * minute;
      for (const record of recordsOf(`${source}-live`, { fromMs, stepMs, slots: held }, source)) {
        const { timeMs } = record;
        const reading = { timeMs, intervalMs: stepMs, outcome: "read" as const, count: 1 };
        const range = { source: `target ${source}`, from: timeMs, to: timeMs };
        await opened.store.ingest(messageOf(`${source} ${timeMs}`, { ...makeBatch([record]), reading }, range));
      }
    };

    test("if none is missing, what was expected of every group is what it has, in every minute and hour", async () => {
      const complete = device(namespaces).filter(({ slots }) => slots.length > 2);
      const live = fc.array(namespaces, { minLength: 18, maxLength: 18 });
      await fc.assert(
        fc.asyncProperty(fc.array(complete, { maxLength: 3 }), live, async (devices, held) => {
          const id = `complete ${runs++}`;
          await readLive(id, held);
          for (const [at, each] of devices.entries()) {
            await storeFile(`${id} ${at}`, recordsOf(`${id}-${at}`, each, id));
          }
          for (const groupBy of groupings) {
            for (const resolution of ["1m", "1h"] as const) {
              const rows = await aggregates(id, groupBy, { resolution });
              expect(rows.length).toBeGreaterThan(0);
              expect(expectedOf(rows)).toEqual(rows.map(countOf));
            }
          }
        }),
        { numRuns: propertyRuns(3) },
      );
    });

    test("records that are missing in a file were due until it ends, in the namespace that held the device last", async () => {
      const whole = device(fc.oneof({ weight: 3, arbitrary: namespaces }, fc.constant(undefined)));
      const minutely = whole.map((each): Device => {
        // a record at the beginning of its minute is due in the same minute
        return { ...each, stepMs: 2 * minute, fromMs: Math.floor(each.fromMs / minute) * minute };
      });
      await fc.assert(
        fc.asyncProperty(fc.array(minutely, { minLength: 1, maxLength: 3 }), async (devices) => {
          const id = `missing ${runs++}`;
          const regular = { stepMs: 2 * minute, fromMs: t0, slots: Array.from({ length: 85 }, () => ["blue"]) };
          const all = [regular, ...devices];
          const records = all.map((each, at) => recordsOf(`${id}-${at}`, each, id));
          fc.pre(records.every((of) => isLearnable(of, 2 * minute)));
          await storeFile(id, records.flat());
          const model = modelOf(id, { records, stepMs: 2 * minute, untilMs: t0 + 84 * 2 * minute });
          for (const groupBy of ["gpu", "cluster", "namespace"] as const) {
            const rows = await aggregates(id, groupBy, { resolution: "1m" });
            const found = rows.map(({ timeMs, group }) => model.get(keyOf(timeMs, Object.values(group)[0])));
            expect(expectedOf(rows)).toEqual(found);
          }
        }),
        { numRuns: propertyRuns(5) },
      );
    });

    test("it is absent, and not less, of a group with a device of which it is not known", async () => {
      const of = (uuid: string, ...minutes: number[]): TestRecord[] =>
        minutes.map((at) => {
          return { uuid, hostname: uuid, clusterId: "unknown", timeMs: t0 + at * minute, metrics: { temperature: 1 } };
        });
      await storeFile("alone", of("alone", 5));
      expect(expectedOf(await aggregates("unknown", "cluster"))).toEqual([undefined]);
      // without a schedule of its own, it has the times of the others
      await storeFile("others", of("other", 0, 10, 20, 30, 40, 50));
      expect(expectedOf(await aggregates("unknown", "cluster"))).toEqual([7]);
      await storeFile(
        "before live",
        recordsOf("taken over-live", { fromMs: t0, stepMs: minute, slots: [[], [], []] }, "taken over"),
      );
      await readLive("taken over", [[], [], []], t0 + hour);
      const rows = await aggregates("taken over", "gpu");
      expect(rows.map(({ expected, timeMs }) => [timeMs - t0, expected])).toEqual([
        [0, undefined],
        [hour, 6],
      ]);
    });

    test("it is absent if it is not asked for, and the rest of each row is the same", async () => {
      const place = "not asked for";
      await readLive(place, [["blue"], ["red"], ["blue"]]);
      await storeFile(place, recordsOf(place, { fromMs: t0, stepMs: minute, slots: [["red"], [], ["blue"]] }, place));
      for (const groupBy of groupings) {
        for (const resolution of ["1m", "1h"] as const) {
          const rows = await aggregates(place, groupBy, { resolution });
          expect(expectedOf(rows)).not.toContain(undefined);
          expect(await aggregates(place, groupBy, { resolution, withExpected: false })).toEqual(
            rows.map((row) => ({ ...row, expected: undefined })),
          );
        }
      }
    });

    test("the last hour is whole, and so has the devices that appear in it after the end of the range", async () => {
      const place = "whole hour";
      await storeFile(
        "first half",
        recordsOf("first", { fromMs: t0, stepMs: 10 * minute, slots: [[], [], []] }, place),
      );
      const second = { fromMs: t0 + 40 * minute, stepMs: 5 * minute, slots: [[], [], []] };
      await storeFile("second half", recordsOf("second", second, place));
      const [row] = await aggregates(place, "cluster", { range: { fromMs: t0, toMs: t0 + 30 * minute } });
      expect([row?.expected, row && countOf(row)]).toEqual([6, 6]);
    });

    test("by namespace and by GPU, as many are expected where one namespace holds the GPU all the time", async () => {
      const place = "held";
      await readLive(place, [["blue"], ["blue"], ["blue"]]);
      const [byGpu, byNamespace] = [await aggregates(place, "gpu"), await aggregates(place, "namespace")];
      expect(expectedOf(byGpu)).toEqual([6]);
      expect(byNamespace.map(({ expected, group }) => [group.namespace, expected])).toEqual([["held blue", 6]]);
    });
  });
}

const keyOf = (timeMs: number, group: string | undefined): string => `${timeMs} ${group}`;

/** True if the median of the times between the records is the step. */
function isLearnable(records: readonly TestRecord[], stepMs: number): boolean {
  const steps = records.slice(1).map(({ timeMs }, at) => timeMs - (records[at]?.timeMs ?? NaN));
  return steps.length > 1 && steps.toSorted((a, b) => a - b)[Math.ceil(steps.length / 2) - 1] === stepMs;
}

/** The number of records that were due, by the minute and by each name of a group.
 *  @param place the name of the cluster
 *  @param untilMs when the file ends */
function modelOf(
  place: string,
  {
    records,
    stepMs,
    untilMs,
  }: { readonly records: readonly TestRecord[][]; readonly stepMs: number; readonly untilMs: number },
): ReadonlyMap<string, number> {
  const due = new Map<string, number>();
  const add = (timeMs: number, group: string): void => {
    const key = keyOf(Math.floor(timeMs / widths["1m"]) * widths["1m"], group);
    due.set(key, (due.get(key) ?? 0) + 1);
  };
  for (const of of records) {
    const byTime = new Map(of.map((record) => [record.timeMs, record]));
    let last = of[0];
    for (let timeMs = last?.timeMs ?? Infinity; timeMs <= untilMs; timeMs += stepMs) {
      last = byTime.get(timeMs) ?? last;
      if (last === undefined) continue;
      const { workload = noWorkload, sharing = [] } = last;
      for (const group of [place, last.uuid, ...new Set([workload, ...sharing].map(({ namespace }) => namespace))]) {
        add(timeMs, group);
      }
    }
  }
  return due;
}
