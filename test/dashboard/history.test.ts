import { describe, expect, test } from "bun:test";
import {
  chartDataOf,
  figuresOf,
  gapAfterMs,
  gapsOf,
  type HistoryRecord,
  pointAt,
  pointsOf,
  withRecord,
} from "../../src/dashboard/model/history.ts";
import { holdingsOf, itemsIn, laneRows } from "../../src/dashboard/model/lane.ts";
import { missedText, shareText } from "../../src/dashboard/model/coverage-text.ts";
import { quantityText } from "../../src/dashboard/model/format.ts";
import { startMs } from "./fleet.ts";

const record = (afterS: number, values: Record<string, number>): HistoryRecord => ({
  timeMs: startMs + afterS * 1000,
  values,
});
/** A record every two seconds, but none for ten seconds after the third. */
const records = [0, 2, 4, 14, 16].map((afterS) => record(afterS, { temperature: 40 + afterS }));

describe("the values of a metric", () => {
  test("are those that are there: absence is neither 0 nor a gap of another metric", () => {
    const mixed = [record(0, { temperature: 40 }), record(1, { power_draw: 7 }), record(2, { temperature: 0 })];
    expect(pointsOf(mixed, "temperature").map(({ value }) => value)).toEqual([40, 0]);
    expect(pointsOf(mixed, "sm_active")).toEqual([]);
    expect(gapsOf(pointsOf(mixed, "temperature"), 5000)).toEqual([]);
  });

  test("have their extremes if they are averages", () => {
    const average = { ...record(0, { temperature: 40 }), lowest: { temperature: 30 }, highest: { temperature: 60 } };
    expect(pointsOf([average], "temperature")).toEqual([{ timeMs: startMs, value: 40, lowest: 30, highest: 60 }]);
  });

  test("of a record that comes again with more metrics take the place of the first ones", () => {
    const again = withRecord(records, record(16, { temperature: 99 }));
    expect([again.length, pointsOf(again, "temperature").at(-1)?.value]).toEqual([5, 99]);
    expect(withRecord(records, record(15, {}))).toBe(records);
    expect(withRecord(records, record(18, {})).length).toBe(6);
  });
});

describe("a gap", () => {
  const points = pointsOf(records, "temperature");

  test("is where the usual time between values has passed two and a half times; of averages, one is missing", () => {
    expect(gapAfterMs(points, undefined)).toBe(5000);
    expect(gapsOf(points, 5000)).toEqual([{ fromMs: startMs + 4000, toMs: startMs + 14_000 }]);
    expect(gapAfterMs(points, 60_000)).toBe(90_000);
    expect(gapAfterMs([], undefined)).toBe(Infinity);
  });

  test("is drawn as a gap: a chart has no value in it", () => {
    const [times, values] = chartDataOf(points, 5000);
    expect(values).toEqual([40, 42, 44, null, 54, 56]);
    expect(times[3]).toBe((startMs + 9000) / 1000);
  });

  test("has no value for the pointer, and values have theirs", () => {
    expect(pointAt(points, startMs + 2100, 5000)?.value).toBe(42);
    expect(pointAt(points, startMs + 30_000, 5000)).toBeUndefined();
    expect(pointAt([], startMs, 5000)).toBeUndefined();
  });

  test("is counted among the figures", () => {
    expect(figuresOf(points, 5000)).toEqual({ newest: 56, lowest: 40, highest: 56, gaps: 1 });
    expect(figuresOf([], 5000)).toBeUndefined();
  });
});

test("who held a device in a window: cut at its ends, without the times in which nobody did", () => {
  const at = (afterS: number, ...pods: string[]) => ({
    fromMs: startMs + afterS * 1000,
    holders: pods.map((pod) => ({ namespace: "lab", pod, container: "" })),
  });
  const changes = [at(0, "a"), at(10, "b", "c"), at(20), at(30, "d")];
  const held = itemsIn(holdingsOf(changes), { fromMs: startMs + 5000, toMs: startMs + 40_000 });
  expect(held.map(({ text, fromMs, toMs }) => [text, fromMs - startMs, toMs - startMs])).toEqual([
    ["lab/a", 5000, 10_000],
    ["lab/b, lab/c", 10_000, 20_000],
    ["lab/d", 30_000, 40_000],
  ]);
  expect(held.map(({ beganBefore, isOpen }) => [beganBefore, isOpen])).toEqual([
    [true, false],
    [false, false],
    [false, true],
  ]);
  expect(itemsIn(holdingsOf(changes), { fromMs: startMs + 20_000, toMs: startMs + 30_000 })).toEqual([]);
});

test("what lasts at the same time is in rows of its own", () => {
  const lasting = [
    [0, 10],
    [5, 20],
    [10, 15],
    [16, 30],
  ].map(([from = 0, to = 0], index) => ({ id: String(index), text: "hot", fromMs: from, toMs: to }));
  expect(laneRows(itemsIn(lasting, { fromMs: 0, toMs: 100 }))).toEqual([0, 1, 0, 0]);
});

test("coverage is 100 % only if nothing is missing, and names what is", () => {
  const counts = { expected: 100_000, received: 99_999, missing: 1, missed: { timeout: 1 }, maintenance: 0 };
  expect([shareText(counts), missedText(counts)]).toEqual(["99.99 %", "99999 of 100000 readings; missing: 1 timeout"]);
  expect(shareText({ ...counts, missing: 0 })).toBe("100 %");
  expect([shareText(undefined), missedText(undefined)]).toEqual(["no data", "nothing was due"]);
  const unknown = { received: 5, missing: 0, missed: {}, maintenance: 2 };
  expect(shareText(unknown)).toBe("no data");
  expect(missedText(unknown)).toBe("5 received; how many were due is not known; 2 under maintenance");
});

test("a value has its unit, and small ones two decimals", () => {
  expect([quantityText(0.4567, "ratio"), quantityText(71.26, "percent"), quantityText(undefined, "watts")]).toEqual([
    "0.46",
    "71.3 %",
    "no data",
  ]);
});
