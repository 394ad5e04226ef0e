import { until } from "../../../../dev/until.ts";
import { type PipelineOptions, stallMs } from "../processes.ts";
import type { Fault } from "../scenario.ts";
import type { PlainRun } from "../seed-run.ts";
import type { Victims } from "../victims.ts";
import type { Worker } from "../workers.ts";
import { makeCoordinators } from "./coordinators.ts";
import { isAllSent, type Watched } from "./faults-told.ts";
import { loseLeader } from "./lose-leaders.ts";
import { startReceiver } from "./receiver.ts";
import { WatchedFleet } from "./watched-fleet.ts";

/** The part of a run in which faults are evaluated: GPUs that have faults, coordinators, and a receiver of webhooks. */
export interface WatchedRun extends Watched {
  readonly fleet: WatchedFleet;
  readonly coordinators: readonly Worker[];
  /** Starts the coordinators and the GPUs, and waits until faults are evaluated. */
  start(): Promise<void>;
  /** Inflicts a fault on the coordinator that evaluates. */
  loseLeader(fault: Fault, victims: Omit<Victims, "atDatabase" | "drained">): Promise<void>;
  /** Waits until the GPUs have reported everything and the receiver was sent everything, or waits no longer. What was not sent then is
   *  for the judge.
   *  @returns the violation that the GPUs could not report */
  untilSent(): Promise<string[]>;
  close(): Promise<void>;
}

/** Opens the part, and starts the receiver. */
export async function openWatchedRun(
  run: PlainRun,
  options: PipelineOptions & { readonly seed: number; readonly durationMs: number },
): Promise<WatchedRun> {
  const receiver = startReceiver();
  const fleet = await WatchedFleet.open(run, options);
  const watched = { readings: fleet.readings, deliveries: receiver.deliveries };
  const coordinators = await makeCoordinators(options, receiver.url);
  return {
    ...watched,
    fleet,
    coordinators,
    start: () => {
      coordinators.forEach((coordinator) => coordinator.start());
      return fleet.begin();
    },
    loseLeader: (fault, victims) => loseLeader(fault, victims, { coordinators, database: run.database }),
    untilSent: async () => {
      const error = await fleet.untilReported(stallMs);
      if (error !== undefined) return [`I11: the watched GPUs could not report: ${error.message}`];
      await until(() => isAllSent(watched), { timeoutMs: stallMs, everyMs: 100 }).catch(() => undefined);
      return [];
    },
    close: async () => {
      await fleet.close();
      await receiver.stop();
    },
  };
}
