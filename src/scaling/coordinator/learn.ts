import { isSaturated, type QueueFigures, stuckShare } from "./queue-figures.ts";
import type { RoleMemory } from "./memory.ts";
import type { NeedInput } from "./need.ts";

/** Weight of the newest rate in the learned one: after five decisions, five sixths of it is from them. */
const newestShare = 0.3;
/** Time for which collectors must be alive before what they store counts as theirs: a rate is counted over 5 s, and reported
 *  every 5 s. */
const settleSeconds = 10;
/** The least share of the expected gain that counts as gain. Rates vary by a few percent from one window to the next. */
const gainShare = 0.2;

/** The part of the memory that follows from the collectors' figures. */
type Learned = Pick<RoleMemory, "ratePerSecond" | "saturated" | "depthMessages" | "trial" | "noGain">;

/** What the collectors' figures teach for the next decisions: the rate of a busy collector, and whether the last step up had a
 *  gain. */
export function learn(input: NeedInput, figures: QueueFigures): Learned {
  const { memory, current, nowMs } = input;
  const saturated = isSaturated(input, figures);
  const startedAtMs = current >= input.base ? memory.startedAtMs : undefined;
  const isSettled = startedAtMs !== undefined && nowMs - startedAtMs >= settleSeconds * 1000;
  const isBusy = saturated && memory.saturated === true && isSettled;
  const judged = judge(input, figures, isBusy);
  const perCollector = figures.drainPerSecond / current;
  return {
    ratePerSecond: isBusy ? nextRate(memory.ratePerSecond, perCollector, judged.hadGain) : memory.ratePerSecond,
    saturated,
    depthMessages: figures.depth,
    trial: saturated ? judged.trial : undefined,
    noGain: stillNoGain(input, figures, judged.noGain),
  };
}

function nextRate(rate: number | undefined, newest: number, hadGain: boolean): number | undefined {
  if (newest <= 0) return rate;
  if (rate === undefined || hadGain) return newest;
  // collectors that are stuck do not show what they can do
  return newest < stuckShare * rate ? rate : rate + newestShare * (newest - rate);
}

interface Judgement {
  readonly trial: RoleMemory["trial"];
  readonly noGain: RoleMemory["noGain"];
  readonly hadGain: boolean;
}

/** Compares what is stored with what was stored before the last step up. */
function judge({ memory, nowMs, current }: NeedInput, { drainPerSecond }: QueueFigures, isBusy: boolean): Judgement {
  const { trial, noGain } = memory;
  if (trial === undefined || !isBusy || current <= trial.from) return { trial, noGain, hadGain: false };
  const least = trial.drainPerSecond * (1 + gainShare * (current / trial.from - 1));
  const hadGain = drainPerSecond > least;
  return { trial: undefined, noGain: hadGain ? undefined : { sinceMs: nowMs, drainPerSecond }, hadGain };
}

/** A step up is tried again when the queue is short, when the collectors store more again, or after a while. */
function stillNoGain(input: NeedInput, figures: QueueFigures, noGain: RoleMemory["noGain"]): RoleMemory["noGain"] {
  if (noGain === undefined || !isSaturated(input, figures)) return undefined;
  const { memory, current, nowMs, policy } = input;
  const usual = (memory.ratePerSecond ?? 0) * current;
  const isStoringMore = figures.drainPerSecond > Math.max(1.25 * noGain.drainPerSecond, 0.1 * usual);
  const isRetryDue = nowMs - noGain.sinceMs >= policy.steps.retrySeconds * 1000;
  return isStoringMore || isRetryDue ? undefined : noGain;
}
