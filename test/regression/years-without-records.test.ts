import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SqlExecutor } from "../../src/db/client.ts";
import { metricNames } from "../../src/domain/metrics.ts";
import type { RollupResolution } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { rollupPage } from "../../src/pipeline/store/sql/aggregates/rollup-pages.ts";
import { readColumnsPage } from "../../src/pipeline/store/sql/history/columns-page.ts";
import { firstSlice, historyParts } from "../../src/pipeline/store/sql/history/history-parts.ts";
import { gatewayOver, gpuOf, openFleetStore } from "../routes/gateway.ts";
import { settledStates, settleTo } from "../support/settled.ts";

// One host had the year 2000, because it had started without a clock, and one had 2099. Each question by minute, hour or day then read all hours of
// the years in between, and was refused after QUERY_TIMEOUT_SECONDS.

const presentMs = Date.UTC(2026, 0, 5, 12);
const pastMs = Date.UTC(2000, 0, 1);
const futureMs = Date.UTC(2099, 0, 1);
const record = (hostname: string, timeMs: number) => ({
  ...{ gpu: gpuOf("lab", hostname, 0), timeMs },
  values: { temperature: 50, power_draw: 300 },
});
let stored: Awaited<ReturnType<typeof openFleetStore>>;

beforeAll(async () => {
  const present = Array.from({ length: 20 }, (_, index) => record(`host-${index}`, presentMs));
  stored = await openFleetStore([record("past", pastMs), ...present, record("future", futureMs)]);
});
afterAll(() => stored.close());

/** An executor that counts statements. A question that reads each of a million hours, or thousands of windows of them, has many. */
function counting(): Counting {
  const texts: string[] = [];
  const executor: SqlExecutor = {
    query: (text, params) => {
      texts.push(text);
      return stored.client.query(text, params);
    },
  };
  const looksForHours = (): boolean => texts.some((text) => /^select .* as "atMs"$/.test(text));
  return { executor, statements: () => texts.length, looksForHours };
}

interface Counting {
  readonly executor: SqlExecutor;
  readonly statements: () => number;
  /** True if a statement asked for the next hour that has records of any GPU. */
  readonly looksForHours: () => boolean;
}

/** Without the gaps, the questions have up to about 20. */
const statementsMax = 60;

describe.each([...settledStates])("over years without records, with %s settled,", (state) => {
  beforeAll(() => settleTo(stored.client, state));

  const resolutions: readonly RollupResolution[] = ["1m", "1h", "1d"];
  test.each([...resolutions])("a page of %s has few statements, in both directions", async (resolution) => {
    for (const isForward of [false, true]) {
      const { executor, statements } = counting();
      const page = { gpus: {}, range: allTime, limit: 100, isForward };
      const { elements } = await rollupPage(executor, page, resolution);
      const times = elements.map(({ timeMs }) => timeMs);
      expect(times.toSorted((a, b) => (isForward ? a - b : b - a))).toEqual(times);
      expect([times.length, Math.min(...times), Math.max(...times)]).toEqual([22, pastMs, futureMs]);
      expect(statements()).toBeLessThan(statementsMax);
    }
  });

  test("a read of the whole history has few statements", async () => {
    const { executor, statements } = counting();
    let records = 0;
    for await (const parts of historyParts(executor, { range: allTime, metrics: metricNames, skipsEmptyHours: true })) {
      for (const { timesMs } of parts) records += timesMs.length;
    }
    expect(records).toBe(22);
    expect(statements()).toBeLessThan(statementsMax);
  });

  test("the columns of the whole history have few pages", async () => {
    const { executor, statements } = counting();
    let [records, pages] = [0, 0];
    const range = { fromMs: pastMs, toMs: futureMs + 1 };
    let page = await readColumnsPage(executor, { gpus: {}, range, metrics: metricNames });
    for (;;) {
      [records, pages] = [records + page.records, pages + 1];
      if (page.next === undefined) break;
      page = await readColumnsPage(executor, { gpus: {}, range, metrics: metricNames, cursor: page.next });
    }
    expect(records).toBe(22);
    expect(pages).toBeLessThan(statementsMax);
    expect(statements()).toBeLessThan(4 * statementsMax);
  });

  // otherwise, how long its answers take would tell of the records of others
  test("a caller with bounds reads the hours without records as all others", async () => {
    const range = { fromMs: Date.UTC(2050, 0, 1), toMs: Date.UTC(2050, 3, 1) };
    const years = { fromMs: Date.UTC(2030, 0, 1), toMs: Date.UTC(2090, 0, 1) };
    for (const gpus of [{}, { within: { hosts: ["host-1"] } }]) {
      const [pages, columns] = [counting(), counting()];
      await rollupPage(pages.executor, { gpus, range, limit: 100, isForward: true }, "1h");
      await readColumnsPage(columns.executor, {
        gpus,
        range: years,
        metrics: metricNames,
        cursor: { ...firstSlice(years), gpuHours: 100 },
      });
      const skips = !("within" in gpus);
      expect([gpus, pages.looksForHours(), columns.looksForHours()]).toEqual([gpus, skips, skips]);
    }
  });

  test("aggregates and PromQL answer", async () => {
    const gateway = gatewayOver(stored);
    const [from, to] = ["1999-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];
    const summary = await gateway.json(
      `/api/v1/telemetry/aggregates?start_time=${from}&end_time=${to}&group_by=cluster`,
    );
    expect(JSON.stringify(summary)).toContain("lab");
    const query = `query=count(DCGM_FI_DEV_GPU_TEMP)&start=${from}&end=${to}&step=31536000`;
    expect(await gateway.json(`/api/v1/query_range?${query}`)).toMatchObject({ status: "success" });
  });
});
