import { expect, test } from "bun:test";
import { systemClock } from "../../src/kit/clock.ts";
import type { Work } from "../../src/promql/work.ts";
import { QueryTurns } from "../../src/routes/answers/promql/query-turns.ts";

const request = new Request("http://localhost/");
const series = (work: Work, count: number): void => {
  for (let held = 0; held < count; held += 1) work.holdSeries();
};

test("large queries are answered one at a time, and small ones beside them", async () => {
  const turns = new QueryTurns(systemClock);
  const first = Promise.withResolvers<void>();
  let begun = 0;
  const large = (ended: Promise<void>) =>
    turns.run(request, 60_000, async (work) => {
      begun += 1;
      series(work, 20_000);
      await ended;
      return begun;
    });
  const [one, other] = [large(first.promise), large(Promise.resolve())];
  expect(await turns.run(request, 60_000, async (work) => series(work, 5000))).toBeUndefined();
  expect(begun).toBe(2);
  first.resolve();
  // the other one has begun a second time, after the end of the first
  expect([await one, await other]).toEqual([2, 3]);
});

test("a query that waits for its turn ends when its time is over, and when its client leaves", async () => {
  const turns = new QueryTurns(systemClock);
  const ended = Promise.withResolvers<void>();
  const waiting = Array.from({ length: 4 }, () => turns.run(request, 60_000, () => ended.promise));
  await expect(turns.run(request, 20, () => Promise.resolve())).rejects.toMatchObject({
    type: "timeout",
    message: "query timed out in expression evaluation: it took longer than 20 ms",
  });
  const client = new AbortController();
  const left = turns.run(new Request(request, { signal: client.signal }), 60_000, () => Promise.resolve());
  client.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  ended.resolve();
  await Promise.all(waiting);
});

test("a query that fails leaves its turn to others, whether it is small or large", async () => {
  const turns = new QueryTurns(systemClock);
  for (const count of [10, 20_000, 300_000, 20_000]) {
    const failing = turns.run(request, 60_000, (work) => {
      series(work, count);
      return Promise.reject(new Error("broken"));
    });
    await expect(failing).rejects.toThrow(count > 250_000 ? "more than 250000 series" : "broken");
  }
  expect(await turns.run(request, 60_000, async (work) => (series(work, 20_000), "answered"))).toBe("answered");
});
