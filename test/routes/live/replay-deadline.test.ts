import { expect, test } from "bun:test";
import type { Fleet } from "../../../src/routes/fleet/fleet.ts";
import { Replays } from "../../../src/routes/live/replays.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { openTopics, recordAt, shortForm } from "./open-subscription.ts";

test("a replay that the client does not read in time ends, and reads no more of the history", async () => {
  const clock = new ManualClock();
  const subscription = openTopics(() => undefined).subscribe("x");
  const outcome = { pages: 0, isTooSlow: false };
  const replays = new Replays({ clock, maxRecords: 100 });
  const history = {
    records: () => {
      outcome.pages += 1;
      return Promise.resolve({ elements: [recordAt(outcome.pages)], next: { timeMs: outcome.pages, gpuKey: 1 } });
    },
  };
  const running = replays.run({
    subscription,
    view: { queries: { history }, fleet: { isLoaded: false } as Fleet },
    sinceMs: 0,
    onError: (error) => expect(error).toBeUndefined(),
    onTooSlow: () => (outcome.isTooSlow = true),
  });
  await clock.advance(60_000);
  await running;
  expect(outcome).toEqual({ pages: 1, isTooSlow: true });
  const sent: string[] = [];
  for (let text = subscription.next(); text !== undefined; text = subscription.next()) sent.push(shortForm(text));
  await clock.advance(1);
  expect(sent).toEqual(["replay 1", "replayed 1"]);
  expect(outcome.pages).toBe(1);
});
