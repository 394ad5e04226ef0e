import { expect, test } from "bun:test";
import { DeadlineExceeded, endsWithin, within } from "../../src/kit/within.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("work that ends in time gives its result, and leaves nothing waiting", async () => {
  const clock = new ManualClock();
  expect(await within(clock, 1000, () => Promise.resolve("answer"))).toBe("answer");
  expect(clock.sleeperCount).toBe(0);
});

test("work that fails in time throws its own error, and leaves nothing waiting", async () => {
  const clock = new ManualClock();
  const refused = within(clock, 1000, () => Promise.reject(new RangeError("refused")));
  await expect(refused).rejects.toThrow(RangeError);
  expect(clock.sleeperCount).toBe(0);
});

test("work is aborted at its deadline, and its later error is ignored", async () => {
  const clock = new ManualClock();
  const aborted: unknown[] = [];
  const late = within(
    clock,
    2000,
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted.push(signal.reason);
          reject(new Error("interrupted"));
        });
      }),
  );
  const caught = late.catch((error: unknown) => error);
  await clock.advance(1999);
  expect(aborted).toEqual([]);
  await clock.advance(1);
  expect(await caught).toBeInstanceOf(DeadlineExceeded);
  expect(aborted).toEqual([await caught]);
  await expect(late).rejects.toThrow("no answer within 2 s");
});

test("of what is to be called at the deadline, only the last is", async () => {
  const clock = new ManualClock();
  const calls: string[] = [];
  const late = within(clock, 2000, (deadline) => {
    for (const name of ["first", "second"]) deadline.onExceeded(() => calls.push(`${name} ${deadline.isExceeded}`));
    return new Promise(() => undefined);
  });
  const caught = late.catch((error: unknown) => error);
  await clock.advance(1999);
  expect(calls).toEqual([]);
  await clock.advance(1);
  expect(await caught).toBeInstanceOf(DeadlineExceeded);
  expect(calls).toEqual(["second true"]);
});

test("a signal that is first asked for after the deadline has aborted", async () => {
  const clock = new ManualClock();
  const asked = Promise.withResolvers<AbortSignal>();
  const late = within(clock, 1000, async (deadline) => {
    await clock.sleep(2000);
    asked.resolve(deadline.signal);
  });
  const caught = late.catch((error: unknown) => error);
  await clock.advance(2000);
  expect((await asked.promise).reason).toBe(await caught);
});

test("work that ended in time is not aborted afterwards", async () => {
  const clock = new ManualClock();
  const signals: AbortSignal[] = [];
  await within(clock, 1000, ({ signal }) => Promise.resolve(signals.push(signal)));
  await clock.advance(5000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});

test("endsWithin reports whether the work ended in time, and throws the work's error", async () => {
  const clock = new ManualClock();
  expect(await endsWithin(clock, 1000, () => Promise.resolve())).toBe(true);
  await expect(endsWithin(clock, 1000, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  const late = endsWithin(clock, 1000, () => new Promise(() => undefined));
  await clock.advance(1000);
  expect(await late).toBe(false);
});
