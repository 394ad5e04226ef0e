import { expect, test } from "bun:test";
import { toldWhile } from "../../src/kit/told-while.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("work that takes long is told every 15 s, and not after its end, however it ends", async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const options = { clock, what: "it is opened", tell: (text: string) => void told.push(text) };
  const work = Promise.withResolvers<string>();
  const done = toldWhile(options, () => work.promise);
  await clock.advance(31_000);
  expect(told).toEqual(["it is opened, for 15 s so far", "it is opened, for 30 s so far"]);
  work.resolve("done");
  expect(await done).toBe("done");
  await expect(toldWhile(options, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await clock.advance(60_000);
  expect([told.length, clock.sleeperCount]).toEqual([2, 0]);
});
