import { expect, test } from "bun:test";
import { BackOff } from "../../scripts/supervisor/back-off.ts";

test("the pauses between restarts double from half a second to 30 s", () => {
  const backOff = new BackOff();
  const pauses = Array.from({ length: 9 }, (_, index) => backOff.recordExit(index * 1000, 10));
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("after a minute of life the pauses begin again", () => {
  const backOff = new BackOff();
  for (let exit = 0; exit < 6; exit += 1) backOff.recordExit(exit * 1000, 10);
  expect(backOff.recordExit(100_000, 60_000)).toBe(500);
});

test("five exits in two minutes are a crash loop; four, or five in a longer time, are none", () => {
  const backOff = new BackOff();
  for (const atMs of [0, 1000, 2000, 3000]) backOff.recordExit(atMs, 10);
  expect(backOff.isCrashLoop(undefined)).toBe(false);
  backOff.recordExit(4000, 10);
  expect(backOff.isCrashLoop(undefined)).toBe(true);
  const slow = new BackOff();
  for (const atMs of [0, 40_000, 80_000, 120_001, 160_000]) slow.recordExit(atMs, 10_000);
  expect(slow.isCrashLoop(undefined)).toBe(false);
});

test("a crash loop does not seem over during a long pause, and is over when the process has lived for a minute", () => {
  const backOff = new BackOff();
  for (const atMs of [0, 1000, 2000, 3000, 4000, 40_000, 75_000, 110_000, 150_000]) backOff.recordExit(atMs, 10);
  expect(backOff.isCrashLoop(undefined)).toBe(true);
  expect(backOff.isCrashLoop(59_999)).toBe(true);
  expect(backOff.isCrashLoop(60_000)).toBe(false);
});
