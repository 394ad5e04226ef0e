import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { GpuSelector } from "../../src/domain/gpu-selector.ts";
import { groupings, type HistoryCursor, type RecordFilter } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { boundedQueries, type CallerQueries } from "../../src/pipeline/store/bounded-queries.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { recordsOfColumns, wholeRecords } from "../support/records-of-columns.ts";
import { begin, cases, mig, stepMs, storeTeams, uuids } from "../support/two-teams.ts";

const selectors: readonly GpuSelector[] = [
  {},
  { clusterId: "east" },
  { hostname: "w1" },
  { hostname: "e2" },
  { namespace: "team-b" },
  { namespace: "team-a" },
  { uuids: ["goes", "foreign", "none"] },
  { uuids: ["returns"] },
  { parentUuid: "GPU-0000abcd" },
];

const aroundBegin = { fromMs: begin - 3_600_000, toMs: begin + 3_600_000 };

/** All elements of a query, and the cursors between the pages. */
async function pagesOf(
  filter: RecordFilter,
  read: (filter: RecordFilter) => Promise<{ elements: readonly unknown[]; next: HistoryCursor | undefined }>,
) {
  const pages: unknown[] = [];
  let cursor: HistoryCursor | undefined;
  do {
    const page = await read({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.elements, page.next);
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

/** The contract of queries within bounds: their answers are those of a store that has nothing else. */
export function exerciseBoundedQueries(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} answers within bounds as if there were nothing else`, () => {
    let whole: OpenStore;
    beforeAll(async () => {
      whole = await open();
      await storeTeams(whole);
    });
    afterAll(() => whole.close());

    for (const [what, within] of cases) {
      test(`for ${what}`, async () => {
        const alone = await open();
        try {
          await storeTeams(alone, within);
          await expectSame(boundedQueries(whole.queries, within), alone.queries);
        } finally {
          await alone.close();
        }
      });
    }

    test("for a caller without bounds, columns have the same records", async () => {
      const { history } = whole.queries;
      for (const gpus of selectors) {
        const filter = { gpus, range: aroundBegin, metrics: ["power_draw"] };
        const records = await recordsOfColumns(history, filter);
        expect(records).toEqual(await wholeRecords(history, filter));
        expect(records.length).toBeGreaterThan(0);
      }
    });

    test("a namespace that shares a GPU cannot be found out by asking for it", async () => {
      const bounded = boundedQueries(whole.queries, { namespaces: ["team-a"] });
      const filter = { gpus: { namespace: "team-b" }, range: allTime, limit: 10 };
      expect((await bounded.history.records(filter)).elements).toEqual([]);
      expect((await bounded.history.rollups(filter, "1h")).elements).toEqual([]);
      expect((await whole.queries.history.records(filter)).elements).toHaveLength(10);
    });
  });
}

async function expectSame(bounded: CallerQueries, alone: CallerQueries): Promise<void> {
  const both = async (ask: (queries: CallerQueries) => Promise<unknown>) =>
    expect(await ask(bounded)).toEqual(await ask(alone));
  for (const gpus of selectors) {
    const filter = { gpus, range: allTime, limit: 90 };
    await both(({ history }) => pagesOf(filter, (part) => history.records(part)));
    await both(({ history }) => pagesOf(filter, (part) => history.rollups(part, "1m")));
    await both(({ history }) => recordsOfColumns(history, { gpus, range: aroundBegin, metrics: ["temperature"] }));
  }
  const all = { gpus: {}, range: allTime, limit: 50, isForward: true };
  await both(({ history }) => pagesOf(all, (part) => history.records(part)));
  await both(({ history }) => pagesOf(all, (part) => history.rollups(part, "1h")));
  const each = { uuids, range: { fromMs: begin + 60_000, toMs: Infinity }, limit: 9 };
  await both(({ history }) => history.recordsOfEach(each));
  await both(({ history }) => history.rollupsOfEach(each, "1m"));
  await both(({ history }) => history.deviceKinds());
  await both(({ history }) => history.ends({ uuids, range: allTime }));
  for (const uuid of [...uuids, "GPU-0000abcd", "none"]) {
    await both(({ fleet }) => fleet.has(uuid));
    for (const fromMs of [-Infinity, begin + 15 * stepMs]) {
      await both(({ fleet }) => fleet.changes({ uuid, range: { fromMs, toMs: begin + 35 * stepMs } }));
    }
  }
  for (const cluster of ["east", "west"]) await both(({ aggregates }) => aggregates.countRecords(cluster));
  await bothAggregates(both);
}

async function bothAggregates(
  both: (ask: (queries: CallerQueries) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const range = { fromMs: begin - 3_600_000, toMs: begin + 3_600_000 };
  const aggregate = { metrics: ["temperature", "power_draw"], limit: 1000, range, withExpected: true };
  // what was due of a device is exact where the device was within for all of the time
  const isExact = ({ uuid = "" }: Readonly<Record<string, string>>) => ["own", "own-west", "unheld"].includes(uuid);
  for (const groupBy of groupings) {
    for (const [resolution, gpus] of [
      ["1m", {}],
      ["1h", { clusterId: "west" }],
    ] as const) {
      await both(async ({ aggregates }) =>
        (await aggregates.byGroup({ ...aggregate, groupBy, gpus, resolution })).map(({ expected, ...row }) =>
          isExact(row.group) ? { ...row, expected } : row,
        ),
      );
    }
  }
  const devices = { uuids: ["own", "own-west", "foreign", "unheld", "shared", mig] };
  for (const [groupBy, step] of [
    ["device", "hour"],
    ["host", "total"],
    ["cluster", "hour"],
    ["target", "total"],
  ] as const) {
    await both(async ({ coverage }) => {
      const filter = { groupBy, step, gpus: devices, range, nowMs: begin + 3_600_000, limit: 100 };
      const { rows, next } = await coverage.coverage(filter);
      return { next, rows: rows.map((row) => ({ ...row, quarantined: undefined })) };
    });
  }
}
