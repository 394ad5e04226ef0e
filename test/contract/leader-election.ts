import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/kit/clock.ts";
import { within } from "../../src/kit/within.ts";
import type { LeaderElection, Term } from "../../src/scaling/election/leader-election.ts";

/** Longer than any driver takes to notice that a leader has resigned. */
const timeoutMs = 10_000;

/** The contract of every election.
 *  @param open makes the election of one candidate; all candidates take part in one election */
export function exerciseLeaderElection(name: string, open: (instanceId: string) => LeaderElection): void {
  describe(`${name} as an election`, () => {
    let terms: Term[] = [];
    const never = new AbortController().signal;
    const campaign = async (instanceId: string, signal = never): Promise<Term | undefined> => {
      const term = await open(instanceId).campaign(signal);
      if (term !== undefined) terms.push(term);
      return term;
    };
    afterEach(async () => {
      for (const term of terms) await term.resign();
      terms = [];
    });

    test("a single candidate leads", async () => {
      const term = await campaign("one");
      expect(term?.ended.aborted).toBe(false);
    });

    test("of three candidates one leads, and another only after it has resigned, in a later term", async () => {
      const elected: Term[] = [];
      const campaigns = ["one", "two", "three"].map((instanceId) =>
        campaign(instanceId).then((term) => term && elected.push(term)),
      );
      await within(systemClock, timeoutMs, () => Promise.race(campaigns));
      await Bun.sleep(300);
      expect(elected.length).toBe(1);
      for (let ended = 1; ended <= 2; ended += 1) {
        await elected.at(-1)?.resign();
        await within(systemClock, timeoutMs, async () => {
          while (elected.length === ended) await Bun.sleep(5);
        });
      }
      const revisions = elected.map(({ revision }) => BigInt(revision));
      expect(revisions).toEqual(revisions.toSorted((a, b) => (a < b ? -1 : 1)));
      expect(new Set(revisions).size).toBe(3);
    });

    test("a term that was resigned has ended, also if it is resigned twice", async () => {
      const term = await campaign("one");
      await term?.resign();
      await term?.resign();
      expect(term?.ended.aborted).toBe(true);
    });

    test("a campaign ends without a term when its signal aborts", async () => {
      await campaign("one");
      const stopping = new AbortController();
      const waiting = campaign("two", stopping.signal);
      stopping.abort();
      expect(await within(systemClock, timeoutMs, () => waiting)).toBeUndefined();
      expect(await campaign("three", AbortSignal.abort())).toBeUndefined();
    });

    test("a campaign says that another candidate leads, and says nothing before it leads itself", async () => {
      const calls: string[] = [];
      const stopping = new AbortController();
      terms.push((await open("one").campaign(never, () => calls.push("one"))) as Term);
      const waiting = open("two").campaign(stopping.signal, () => calls.push("two"));
      await within(systemClock, timeoutMs, async () => {
        while (calls.length === 0) await Bun.sleep(5);
      });
      stopping.abort();
      await waiting;
      expect(new Set(calls)).toEqual(new Set(["two"]));
    });

    test("a candidate that stopped waiting does not prevent the next term", async () => {
      const term = await campaign("one");
      const stopping = new AbortController();
      const waiting = campaign("two", stopping.signal);
      stopping.abort();
      await waiting;
      await term?.resign();
      expect(await within(systemClock, timeoutMs, () => campaign("three"))).toBeDefined();
    });
  });
}
