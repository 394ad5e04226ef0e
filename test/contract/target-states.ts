import { afterEach, describe, expect, test } from "bun:test";
import type { TargetState, TargetStates } from "../../src/pipeline/source/target-states.ts";

/** States under test. */
export interface OpenTargetStates {
  readonly states: TargetStates;
  /** Opens the states of another process; undefined if the driver shares nothing with other processes. */
  readonly openOther?: () => TargetStates;
  readonly close: () => Promise<void>;
}

/** What a process says about a target.
 *  @param more fields that replace the usual ones */
export function stateOf(target: string, more: Partial<TargetState> = {}): TargetState {
  return {
    source_id: `scrape:lab:${target}`,
    kind: "exporter",
    target,
    cluster_id: "lab",
    labels: [{ name: "rack", value: "r1" }],
    state: "up",
    since: "2025-07-18T20:42:34Z",
    message: "8 devices, 208 samples in 12 ms",
    streamer: "streamer-1",
    interval_ms: 15_000,
    dialect: "dcgm",
    last_scrape_at: "2025-07-18T20:50:04.250Z",
    last_read_at: "2025-07-18T20:50:04.250Z",
    duration_ms: 12,
    ...{ devices: 8, samples: 208, ignored: 31, rejected: 0, undecided: 0, frozen: 0 },
    ...{ scrapes: 31, gaps: 1, gap_reasons: [{ reason: "timeout", count: 1 }], consecutive_failures: 0 },
    last_error: { at: "2025-07-18T20:42:19Z", reason: "timeout", message: "no complete answer within 10 s" },
    ...more,
  };
}

/** What a process says about a target that it does not read. */
function waitingState(target: string, more: Partial<TargetState> = {}): TargetState {
  const notScraped = ["last_scrape_at", "last_read_at", "last_error", "dialect"];
  const rest = Object.entries(stateOf(target)).filter(([field]) => !notScraped.includes(field));
  return { ...(Object.fromEntries(rest) as TargetState), state: "waiting", streamer: "streamer-2", ...more };
}

/** The contract of every driver of TargetStates. */
export function exerciseTargetStates(name: string, open: () => Promise<OpenTargetStates>): void {
  describe(`${name} keeps the contract of target states`, () => {
    let opened: OpenTargetStates;
    afterEach(async () => {
      await opened.states.close();
      await opened.close();
    });
    const namesIn = async (states: TargetStates): Promise<string[]> =>
      (await states.list()).targets.map(({ target }) => target);

    test("what was reported is listed, in the order of cluster and target, every field as it was", async () => {
      opened = await open();
      expect((await opened.states.list()).targets).toEqual([]);
      const [gpu10, gpu2, waiting] = [stateOf("gpu10:9400"), stateOf("gpu2:9400"), waitingState("gpu3:9400")];
      await opened.states.report([gpu10, waiting, gpu2]);
      expect((await opened.states.list()).targets).toEqual([gpu2, waiting, gpu10]);
    });

    test("a report replaces the one before it, even a much larger one", async () => {
      opened = await open();
      await opened.states.report(Array.from({ length: 1250 }, (_, index) => stateOf(`gpu${index}:9400`)));
      expect((await namesIn(opened.states)).length).toBe(1250);
      await opened.states.report([stateOf("gpu7:9400", { state: "down" })]);
      expect((await opened.states.list()).targets).toEqual([stateOf("gpu7:9400", { state: "down" })]);
    });

    test("nothing is left after a close, a second one does nothing, and a later report is ignored", async () => {
      opened = await open();
      const { states } = opened;
      const reader = opened.openOther?.() ?? states;
      await states.report([stateOf("gpu1:9400")]);
      await states.close();
      await states.close();
      await states.report([stateOf("gpu1:9400")]);
      expect(await namesIn(reader)).toEqual([]);
      await reader.close();
    });

    test("of several processes, the one that reads a target says its state", async () => {
      opened = await open();
      if (opened.openOther === undefined) return;
      const other = opened.openOther();
      await opened.states.report([
        waitingState("a:9400"),
        stateOf("b:9400", { last_scrape_at: "2025-07-18T20:49:00Z" }),
      ]);
      await other.report([stateOf("a:9400"), stateOf("b:9400", { streamer: "streamer-3" }), waitingState("c:9400")]);
      expect((await opened.states.list()).targets).toEqual([
        stateOf("a:9400"),
        stateOf("b:9400", { streamer: "streamer-3" }),
        waitingState("c:9400"),
      ]);
      await other.close();
      expect(await namesIn(opened.states)).toEqual(["a:9400", "b:9400"]);
    });
  });
}
