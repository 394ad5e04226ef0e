import { expect } from "bun:test";
import { Registry } from "prom-client";
import type { FaultLedger } from "../../src/faults/fault-store.ts";
import type { Evaluation } from "../../src/faults/leader/evaluation.ts";
import { FaultInstruments } from "../../src/faults/leader/fault-instruments.ts";
import { RecordFeed } from "../../src/faults/leader/record-feed.ts";
import { takeOver } from "../../src/faults/leader/take-over.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { catalogue, rules } from "../fault-rules/scripted-fleet.ts";
import type { ManualClock } from "../support/manual-clock.ts";

/** A leader that follows the hot tier. */
export interface Leading {
  readonly evaluation: Evaluation;
  readonly unfollow: () => Promise<void>;
}

/** Takes the evaluation over, in this process. */
export async function leadOn(options: {
  readonly opened: OpenStore;
  readonly hotTier: HotTier;
  readonly clock: ManualClock;
  readonly ledger: FaultLedger;
  readonly registry?: Registry;
}): Promise<Leading> {
  const { opened, hotTier, clock, ledger, registry = new Registry() } = options;
  const feed = new RecordFeed(clock);
  const unfollow = hotTier.follow(feed);
  const { evaluation } = await takeOver({
    ...{ rules, catalogue, instanceId: "one", ledger, feed, clock },
    ...{ fleet: opened.queries.fleet, history: opened.queries.history, ask: (call) => call() },
    onSkipped: (error) => expect(error).toBeUndefined(),
    onFailed: (error) => expect(error).toBeUndefined(),
    instruments: new FaultInstruments(registry),
  });
  return { evaluation, unfollow };
}
