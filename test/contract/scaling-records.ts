import { afterEach, describe, expect, test } from "bun:test";
import { TermEnded } from "../../src/domain/errors.ts";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import type { ScalingRecords, ScalingUpdate } from "../../src/scaling/coordinator/scaling-records.ts";
import type { ScalingDecision } from "../../src/scaling/coordinator/scaling-state.ts";
import { showPolicy, showSignals } from "../../src/scaling/coordinator/show-state.ts";
import type { LeaderElection, Term } from "../../src/scaling/election/leader-election.ts";
import { nowMs, signalsAt } from "../scaling/scaling-input.ts";
import { ulid } from "ulid";

/** Records and the election whose terms may write to them, both empty. */
export interface OpenedRecords {
  readonly records: ScalingRecords;
  readonly election: LeaderElection;
  close(): Promise<void>;
}

/** A decision that changed the number of collectors. */
export function decisionAt(atMs: number, to: number): ScalingDecision {
  return {
    id: ulid(atMs),
    at: formatTimestamp(atMs),
    role: "collector",
    direction: "up",
    from: to - 1,
    to,
    code: "load",
    reason: "80 messages/s arrive",
    term: 1,
    instance_id: "one",
  };
}

/** What a leader writes that has decided about collectors. */
export function updateAt(atMs: number, changes: readonly ScalingDecision[] = []): ScalingUpdate {
  return {
    atMs,
    changes,
    memories: {
      collector: {
        ...{ desired: 4, current: 4, ratePerSecond: 9.5, trial: { from: 2, drainPerSecond: 20 } },
        command: { count: 3, atMs: atMs - 1000 },
      },
    },
    figures: { backlogMessages: 12, oldestAgeSeconds: 1.5, desired: { collector: 4 } },
    state: {
      as_of: formatTimestamp(atMs),
      executor: "none",
      policy: showPolicy(defaultPolicy),
      signals: showSignals(signalsAt({ waiting: 10, inFlight: 2 }, atMs)),
      desired: { collector: 4 },
      actual: { collector: 3 },
      newest: [...changes],
    },
  };
}

/** The contract of the coordinator's records. */
export function exerciseScalingRecords(name: string, open: () => Promise<OpenedRecords>): void {
  describe(`${name} as the coordinator's records`, () => {
    let opened: OpenedRecords | undefined;
    let terms: Term[] = [];
    afterEach(async () => {
      for (const term of terms) await term.resign();
      terms = [];
      await opened?.close();
    });

    async function begin(): Promise<{ records: ScalingRecords; nextTerm: () => Promise<Term> }> {
      opened = await open();
      const { records, election } = opened;
      const nextTerm = async (): Promise<Term> => {
        const term = await election.campaign(new AbortController().signal);
        if (term === undefined) throw new Error("the election has no leader");
        terms.push(term);
        return term;
      };
      return { records, nextTerm };
    }

    test("are empty before a coordinator has decided", async () => {
      const { records } = await begin();
      expect(await records.read(10)).toEqual({
        leader: undefined,
        state: undefined,
        memories: {},
        figures: { desired: {} },
        changes: [],
      });
    });

    test("have what a leader wrote, and the leader", async () => {
      const { records, nextTerm } = await begin();
      const term = await nextTerm();
      const update = updateAt(nowMs, [decisionAt(nowMs, 4)]);
      await records.write(term, update);
      const read = await records.read(10);
      expect(read.leader?.term).toBe(term.revision);
      expect(read.state).toEqual(update.state);
      expect(read.memories).toEqual(update.memories);
      expect(read.figures).toEqual(update.figures);
      expect(read.changes).toEqual(update.changes);
    });

    test("lose a figure that is not known any more, and never show it as 0", async () => {
      const { records, nextTerm } = await begin();
      const term = await nextTerm();
      await records.write(term, updateAt(nowMs));
      await records.write(term, { ...updateAt(nowMs), figures: { oldestAgeSeconds: 0, desired: {} } });
      expect((await records.read(10)).figures).toEqual({ oldestAgeSeconds: 0, desired: {} });
    });

    test("lose the figures when the leader's term ends; state, memories and decisions stay", async () => {
      const { records, nextTerm } = await begin();
      const term = await nextTerm();
      await records.write(term, updateAt(nowMs, [decisionAt(nowMs, 4)]));
      await term.resign();
      const read = await records.read(10);
      expect(read.leader).toBeUndefined();
      expect(read.figures).toEqual({ desired: {} });
      expect(read.state?.desired).toEqual({ collector: 4 });
      expect(read.memories.collector?.ratePerSecond).toBe(9.5);
      expect(read.changes.length).toBe(1);
    });

    test("refuse everything from a term that has ended", async () => {
      const { records, nextTerm } = await begin();
      const old = await nextTerm();
      await records.write(old, updateAt(nowMs, [decisionAt(nowMs, 2)]));
      await old.resign();
      const current = await nextTerm();
      await records.write(current, updateAt(nowMs + 5000, [decisionAt(nowMs + 5000, 3)]));
      const late = records.write(old, updateAt(nowMs + 6000, [decisionAt(nowMs + 6000, 9)]));
      expect(await late.catch((error: unknown) => error)).toBeInstanceOf(TermEnded);
      const read = await records.read(10);
      expect(read.changes.map(({ to }) => to)).toEqual([3, 2]);
      expect(read.state?.as_of).toBe(formatTimestamp(nowMs + 5000));
    });

    test("keep the decisions of a week, and list the newest first", async () => {
      const { records, nextTerm } = await begin();
      const term = await nextTerm();
      const day = 86_400_000;
      for (let days = 0; days <= 9; days += 1) {
        await records.write(term, updateAt(nowMs + days * day, [decisionAt(nowMs + days * day, days + 1)]));
      }
      expect((await records.read(100)).changes.map(({ to }) => to)).toEqual([10, 9, 8, 7, 6, 5, 4, 3]);
      expect((await records.read(2)).changes.map(({ to }) => to)).toEqual([10, 9]);
    });
  });
}
