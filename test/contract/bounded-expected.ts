import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type CoverageFilter, type CoverageGrouping, coverageHourMs } from "../../src/domain/coverage.ts";
import { boundedQueries, type CallerQueries } from "../../src/pipeline/store/bounded-queries.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";

const minute = 60_000;
const intervalMs = 10 * minute;
const begin = Date.UTC(2025, 6, 18, 20);

/** A record of a test's GPU, in minutes from `begin` on. */
interface Read {
  readonly at: number;
  /** Absent: the key's own. */
  readonly host?: string;
  /** Absent: the live source "a". A source whose name begins with "file" has no schedule. */
  readonly source?: string;
  readonly namespace?: string;
  readonly intervalMs?: number;
}

const own = (...minutes: readonly number[]): Read[] => minutes.map((at) => ({ at }));
const away = (more: Partial<Read>, ...minutes: readonly number[]): Read[] =>
  minutes.map((at) => ({ at, host: "another", ...more }));

/** The contract of what was due of a GPU that moved, for a caller with bounds: it does not depend on records that are not within. */
export function exerciseBoundedExpected(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} knows within bounds what was due of a GPU that moved`, () => {
    let opened: OpenStore;
    let stories = 0;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    /** Stores a GPU's records, of hosts and sources of its own. @returns the queries of a caller who only has the own host, or a namespace */
    const told = async (
      reads: readonly Read[],
      { missedAt = [], namespace: held }: { readonly missedAt?: readonly number[]; readonly namespace?: string } = {},
    ): Promise<CallerQueries> => {
      const prefix = `story ${(stories += 1)}`;
      const host = `${prefix} own`;
      const scheduled = (timeMs: number) => ({ timeMs, intervalMs, count: 1 });
      for (const { at, source = "a", namespace, ...read } of reads.toSorted((a, b) => a.at - b.at)) {
        const timeMs = begin + at * minute;
        const workload = namespace === undefined ? {} : { workload: { namespace, pod: "p", container: "c" } };
        const hostname = read.host === undefined ? host : `${prefix} ${read.host}`;
        const metrics = { temperature: 1 };
        const batch = makeBatch([{ uuid: prefix, clusterId: "c", hostname, timeMs, metrics, ...workload }]);
        const reading = { ...scheduled(timeMs), outcome: "read" as const, ...read };
        const message = source.startsWith("file") ? batch : { ...batch, reading };
        await opened.store.ingest(messageOf(`${prefix} ${source} ${at}`, message, { source: `${prefix} ${source}` }));
      }
      for (const at of missedAt) {
        const reading = { ...scheduled(begin + at * minute), outcome: "missed" as const, reason: "timeout" as const };
        const message = { ...makeBatch([]), reading };
        await opened.store.ingest(messageOf(`${prefix} missed ${at}`, message, { source: `${prefix} a` }));
      }
      return boundedQueries(opened.queries, held === undefined ? { hosts: [host] } : { namespaces: [held] });
    };

    type Counts = readonly [hour: number, expected: number | undefined, received: number, missed: object];
    const hours = { fromMs: begin, toMs: begin + 3 * coverageHourMs };

    /** The coverage in every grouping, each of which must be that of the GPU. */
    const expectCoverage = async (
      queries: CallerQueries,
      counts: readonly Counts[],
      groupings: readonly CoverageGrouping[] = ["device", "host", "cluster", "target"],
    ) => {
      for (const groupBy of groupings) {
        const filter: CoverageFilter = { groupBy, gpus: {}, range: hours, step: "hour", nowMs: hours.toMs, limit: 100 };
        const { rows } = await queries.coverage.coverage(filter);
        const shown = rows.map(({ timeMs, expected, received, missed }) => [
          (timeMs - begin) / coverageHourMs,
          ...[expected, received, missed],
        ]);
        expect([groupBy, shown]).toEqual([groupBy, counts as never]);
        const { rows: total } = await queries.coverage.coverage({ ...filter, step: "total" });
        const sum = counts.reduce((all, [, expected = NaN]) => all + expected, 0);
        expect(total.map((row) => row.expected)).toEqual(counts.length === 0 ? [] : [sum]);
      }
    };

    /** What others can have read after the GPU had gone to them: of their source, or of the one that had it before. */
    const followed = (goneAt: number): readonly (readonly Read[])[] => [
      away({}, goneAt),
      away({}, goneAt, goneAt + 1, goneAt + 2, goneAt + 2.5, goneAt + 24),
      away({ source: "b" }, goneAt),
      away({ source: "b", namespace: "theirs" }, goneAt, goneAt + 4, goneAt + 8, goneAt + 70),
    ];

    for (const [index, others] of followed(95).entries()) {
      test(`a GPU that went to another's host is expected until it went (${index})`, async () => {
        const queries = await told([...own(5, 15, 25, 35, 45, 55, 65, 85), ...others], { missedAt: [75] });
        await expectCoverage(queries, [
          [0, 6, 6, {}],
          [1, 3, 2, { timeout: 1 }],
        ]);
      });
    }

    for (const [index, others] of followed(60).entries()) {
      test(`a GPU that went at the border of an hour was due in the hour before only (${index})`, async () => {
        await expectCoverage(await told([...own(0, 10, 20, 30, 40, 50), ...others]), [[0, 6, 6, {}]]);
      });
    }

    for (const [index, others] of followed(27).entries()) {
      test(`a GPU that went is expected until then, however long another source has had it since (${index})`, async () => {
        const isOther = others.every(({ source }) => source === "b");
        const queries = await told([...own(5, 15), ...others], isOther ? { missedAt: [25] } : {});
        const missed = isOther ? { timeout: 1 } : { absent: 1 };
        await expectCoverage(queries, [[0, 3, 2, missed]], ["device", "host", "cluster"]);
      });
    }

    const before = [[], away({}, 70, 84, 85, 92), away({ source: "b" }, 71), away({ source: "b" }, 1, 11, 71, 93)];
    for (const [index, others] of before.entries()) {
      test(`a GPU that came from another's host is expected from its first record on (${index})`, async () => {
        const queries = await told([...others, ...own(95, 105, 115, 125, 145, 155, 165, 175)], { missedAt: [135] });
        await expectCoverage(queries, [
          [1, 3, 3, {}],
          [2, 6, 5, { timeout: 1 }],
        ]);
      });

      test(`a GPU that came at the border of an hour is expected from then on (${index})`, async () => {
        const queries = await told([...others, ...own(120, 130, 140, 150, 160, 170)]);
        await expectCoverage(queries, [[2, 6, 6, {}]]);
      });
    }

    const between = [
      [...away({}, 25), ...away({}, 65)],
      [...away({}, 25, 26, 31, 44), ...away({}, 65, 66, 67, 104)],
      [...away({ source: "b" }, 25), ...away({ source: "b" }, 65)],
      [...away({ source: "b" }, 25, 26, 37), ...away({ source: "b" }, 65, 75, 85)],
    ];
    for (const [index, others] of between.entries()) {
      test(`a GPU that was away for a part of an hour is not expected then, and not of the other's source (${index})`, async () => {
        await expectCoverage(await told([...own(5, 15), ...own(45, 55), ...others]), [[0, 4, 4, {}]]);
      });
    }

    for (const [index, others] of followed(60).entries()) {
      test(`what is due of a file's GPU is learned, whether or not a live source had it later (${index})`, async () => {
        const queries = await told([...own(0, 10, 20, 40, 50).map((read) => ({ ...read, source: "file" })), ...others]);
        // a file is no target
        await expectCoverage(queries, [[0, 6, 5, { absent: 1 }]], ["device", "host", "cluster"]);
      });
    }

    test("a live source that had a GPU only elsewhere, before and after a file's records, has no readings of it", async () => {
      const inFile = own(2, 12, 22, 42, 52).map((read) => ({ ...read, source: "file" }));
      const queries = await told([...inFile, ...away({ source: "b", intervalMs: minute }, 0, 1, 56, 57)]);
      await expectCoverage(queries, [[0, 6, 5, { absent: 1 }]], ["device", "host", "cluster"]);
      await expectCoverage(queries, [], ["target"]);
    });

    test("if two sources had a GPU before and after a workload held it, what is due is learned, and neither has readings", async () => {
      const [mine, theirs] = ["mine for a while", "theirs before and after"];
      const held = own(22, 32, 52).map((read) => ({ ...read, namespace: mine }));
      const before = [...own(12), ...own(58)].map((read) => ({ ...read, namespace: theirs }));
      const others = away({ source: "b", namespace: theirs, intervalMs: minute }, 0, 1, 70, 71);
      const queries = await told([...held, ...before, ...others], { namespace: mine });
      await expectCoverage(queries, [[0, 4, 3, { absent: 1 }]], ["device", "host", "cluster"]);
      await expectCoverage(queries, [], ["target"]);
    });

    for (const [index, others] of [...followed(27), away({ namespace: "theirs" }, 27)].entries()) {
      test(`aggregates have the records that were due until a GPU went (${index})`, async () => {
        const queries = await told([...own(5, 15), ...others]);
        for (const groupBy of ["gpu", "host", "cluster", "namespace"] as const) {
          const filter = { groupBy, gpus: {}, metrics: ["temperature"], limit: 100, range: hours, withExpected: true };
          const ofHours = await queries.aggregates.byGroup({ ...filter, resolution: "1h" });
          expect([groupBy, ...ofHours.map((row) => row.expected)]).toEqual([groupBy, 3]);
          const ofMinutes = await queries.aggregates.byGroup({ ...filter, resolution: "1m" });
          expect([groupBy, ...ofMinutes.map((row) => row.expected)]).toEqual([groupBy, 1, 1]);
        }
      });
    }

    test("aggregates and rollups have the hosts at which an own workload held the GPU, and not where others had it in between", async () => {
      const namespace = "mine in between";
      const held = [...own(5, 30.5), ...own(65, 75)].map((read) => ({ ...read, namespace }));
      const others = away({ namespace: "theirs" }, 20, 50);
      const queries = await told([...held, ...others], { namespace });
      for (const [resolution, counts] of [
        ["1m", [1, 1, 1, 1]],
        ["1h", [2, 2]],
      ] as const) {
        const filter = { groupBy: "host" as const, gpus: {}, metrics: ["temperature"], limit: 100, range: hours };
        const rows = await queries.aggregates.byGroup({ ...filter, resolution, withExpected: true });
        const shown = rows.map(({ group, metrics }) => [group["hostname"], metrics["temperature"]?.count]);
        expect(shown).toEqual(counts.map((count) => [`story ${stories} own`, count]));
        const { elements } = await queries.history.rollups({ gpus: {}, range: hours, limit: 10 }, resolution);
        expect(elements.map(({ gpu }) => gpu.hostname)).toEqual(counts.map(() => `story ${stories} own`));
        const gpus = { hostname: `story ${stories} another` };
        expect((await queries.history.rollups({ gpus, range: hours, limit: 10 }, resolution)).elements).toEqual([]);
      }
    });

    test("rollups of a namespace have no minute in which a GPU came back from where a workload of it held the GPU", async () => {
      const [mine, theirs] = ["mine on the own host", "theirs elsewhere"];
      const held = own(5, 30.5).map((read) => ({ ...read, namespace: mine }));
      const queries = await told([...held, ...away({ namespace: theirs }, 20)]);
      const rollups = async (namespace: string) =>
        (await queries.history.rollups({ gpus: { namespace }, range: hours, limit: 10 }, "1m")).elements.length;
      expect([await rollups(mine), await rollups(theirs)]).toEqual([2, 0]);
    });

    test("declared GPUs that were never seen are due at the interval of the own host's sources, not of one that has its GPU now", async () => {
      const queries = await told([...own(5, 15), ...away({ source: "b", intervalMs: minute }, 25, 26, 27)]);
      const hostname = `story ${stories} own`;
      await opened.inventory.declare([{ clusterId: "c", hostname, uuid: "", gpus: 2 }]);
      const fromMs = (Math.floor(Date.now() / coverageHourMs) + 2) * coverageHourMs;
      const toMs = fromMs + coverageHourMs;
      const filter: CoverageFilter = {
        ...{ groupBy: "device", gpus: {}, range: { fromMs, toMs }, step: "hour", nowMs: toMs, limit: 100 },
      };
      const { rows } = await queries.coverage.coverage(filter);
      expect(rows).toMatchObject([{ group: ["c", hostname, ""], expected: 6, intervalMs }]);
    });
  });
}
