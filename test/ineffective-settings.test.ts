import { expect, test } from "bun:test";
import { ineffectiveSettings } from "../src/config/ineffective-settings.ts";

const told = (raw: number, hours: number, minutes = 0) =>
  ineffectiveSettings({ retentionRawDays: raw, retention1hDays: hours, retention1mDays: minutes });

test("a retention of rollups that ends before that of their records is told to have no effect", () => {
  expect(told(30, 7)).toEqual([
    "RETENTION_1H_DAYS=7 has no effect: rollups by the hour are kept as long as their records, which RETENTION_RAW_DAYS=30 keeps for longer",
  ]);
  expect(told(0, 7)).toEqual([expect.stringContaining("RETENTION_RAW_DAYS=0 keeps these for ever")]);
  expect(told(30, 90, 7)).toEqual([expect.stringContaining("RETENTION_1M_DAYS has no effect")]);
});

test("settings of retention that have an effect are not told", () => {
  for (const [raw, hours] of [
    [0, 0],
    [30, 0],
    [30, 30],
    [30, 90],
  ] as const)
    expect(told(raw, hours)).toEqual([]);
});
