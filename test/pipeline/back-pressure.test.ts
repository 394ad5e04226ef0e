import { expect, test } from "bun:test";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { ManualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;

test("the pace is full up to the low mark, falls between the marks, and is a tenth at the high mark and above", () => {
  const pressure = new BackPressure({ lowMessages: 100, highMessages: 200, clock: new ManualClock() });
  const paceAt = (depth: number): number => {
    pressure.observe(depth);
    return pressure.pace;
  };
  expect([0, 100, 150, 200, 1000].map(paceAt)).toEqual([1, 1, 0.5, 0.1, 0.1]);
});

test("a pause follows from the pace and the time worked, and never lasts longer than a second", async () => {
  const clock = new ManualClock();
  const pressure = new BackPressure({ lowMessages: 0, highMessages: 100, clock });
  pressure.observe(75);
  const pauseAfter = async (workMs: number): Promise<number> => {
    await clock.advance(workMs);
    const pausing = pressure.pause(never);
    const startMs = clock.nowMs();
    let endMs = startMs;
    void pausing.then(() => (endMs = clock.nowMs()));
    await clock.advance(10_000);
    return endMs - startMs;
  };
  await pauseAfter(0);
  // the 10 s that passed during the first call count as work
  expect(await pauseAfter(0)).toBe(1000);
  const fresh = new BackPressure({ lowMessages: 0, highMessages: 100, clock });
  fresh.observe(75);
  await clock.advance(100);
  const pausing = fresh.pause(never);
  expect(clock.sleeperCount).toBe(1);
  await clock.advance(299);
  expect(clock.sleeperCount).toBe(1);
  await clock.advance(1);
  await pausing;
  expect(clock.sleeperCount).toBe(0);
});

test("a pause ends immediately when the streamer is stopped", async () => {
  const clock = new ManualClock();
  const pressure = new BackPressure({ lowMessages: 0, highMessages: 1, clock });
  pressure.observe(5);
  await clock.advance(5000);
  const halt = new AbortController();
  const pausing = pressure.pause(halt.signal);
  halt.abort();
  await pausing;
  expect(clock.sleeperCount).toBe(0);
});

test("a token bucket lets a burst through and then keeps to the rate; without a rate it never waits", async () => {
  const clock = new ManualClock();
  const startMs = clock.nowMs();
  const bucket = new TokenBucket({ tokensPerSecond: 100, burstTokens: 50, clock });
  await bucket.take(50, never);
  expect(clock.nowMs()).toBe(startMs);
  const taking = bucket.take(30, never).then(() => clock.nowMs() - startMs);
  await clock.advance(1000);
  expect(await taking).toBe(300);
  await new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock }).take(1_000_000, never);
});
