import type { DecisionInput } from "../../src/scaling/coordinator/decide.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import type { ScalingSignals } from "../../src/scaling/coordinator/signals.ts";

export const nowMs = Date.UTC(2026, 0, 1);

/** Plain values, from which `signalsAt` makes signals. */
export interface Figures {
  readonly waiting?: number;
  readonly inFlight?: number;
  readonly age?: number;
  readonly arrival?: number;
  readonly drain?: number;
  readonly failing?: number;
  readonly targets?: number;
  readonly ranges?: number;
  readonly streamerCpu?: number;
  readonly clients?: number;
  readonly latency?: number;
  readonly gatewayCpu?: number;
}

/** An idle pipeline. */
const idle: Figures = {
  waiting: 0,
  inFlight: 0,
  age: 0,
  arrival: 0,
  drain: 0,
  streamerCpu: 0,
  clients: 0,
  gatewayCpu: 0,
};

/** Signals that were all measured at `atMs`; those that are not given are the signals of an idle pipeline. */
export function signalsAt(figures: Figures, atMs = nowMs): ScalingSignals {
  const all = { ...idle, ...figures };
  const at = (value: number | undefined) => (value === undefined ? undefined : { value, atMs });
  return {
    queue: {
      waitingMessages: at(all.waiting),
      inFlightMessages: at(all.inFlight),
      oldestAgeSeconds: at(all.age),
      arrivalPerSecond: at(all.arrival),
      drainPerSecond: at(all.drain),
    },
    collectors: { failing: at(all.failing) },
    streamers: { targets: at(all.targets), ranges: at(all.ranges), cpuPercent: at(all.streamerCpu) },
    gateways: { clients: at(all.clients), latencyMsP95: at(all.latency), cpuPercent: at(all.gatewayCpu) },
  };
}

/** The input of a decision about collectors; four of them live, each of which stores 10 messages/s when busy. */
export function inputOf(figures: Figures, changes: Partial<DecisionInput> = {}): DecisionInput {
  const memory = { desired: 4, current: 4, startedAtMs: nowMs - 600_000, ratePerSecond: 10 };
  const signals = signalsAt(figures, changes.nowMs ?? nowMs);
  return { role: "collector", nowMs, current: 4, policy: defaultPolicy, memory, signals, ...changes };
}
