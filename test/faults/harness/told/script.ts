import { randomFrom } from "../../../support/random.ts";
import { watchedSource } from "../ledger.ts";

/** What the watched GPUs report at an instant: the metrics of each. */
export interface Reading {
  readonly timeMs: number;
  readonly gpus: readonly Readonly<Record<string, number>>[];
}

/** The pause between two readings. */
export const everyMs = 300;
/** Heat lasts this long before it fires, and coolness before the fault ends. */
export const heat = { forSeconds: 3, resolveForSeconds: 1, above: 105, resolve: 102 };
/** Four that are fatal for each GPU; five would be another fault. */
const codes = [79, 95, 119, 64];
/** Two of them are hot, one for a while and one until the end; one is reset. The first one is broken from its first record on. */
const gpus = 4;
const [briefly, lastingly, isReset] = [1, 2, 3];
/** The rounds of a heat that fires: one more than it has to last, as the first one begins it. */
const hotRounds = Math.ceil((heat.forSeconds * 1000) / everyMs) + 2;
const coolRounds = Math.ceil((heat.resolveForSeconds * 1000) / everyMs) + 2;
const [hotCelsius, coolCelsius] = [120, 60];
/** An hour of a GPU at 400 W. */
const energyOfHourMillijoules = 1.44e9;

/** The uuid of a watched GPU. */
export const uuidOf = (gpu: number): string => `GPU-${watchedSource}-${gpu}`;

/** The fault that the first GPU has. It begins with the first record that a leader sees. */
export const brokenName = "memory.row-remap.failed";

/** What happens to the watched GPUs, round by round. */
export interface Script {
  readonly rounds: number;
  /** @param round negative: before anything has happened */
  readonly read: (round: number, timeMs: number) => Reading;
}

/** Draws a script: XIDs of each GPU, heat that ends and heat that lasts, and a reset, at random rounds.
 *  @param durationMs about how long it takes, at least as long as the heat */
export function drawScript(seed: number, durationMs: number): Script {
  const random = randomFrom(seed);
  const rounds = Math.max(Math.ceil(durationMs / everyMs), hotRounds + coolRounds + 1);
  const below = (limit: number): number => Math.floor(random() * limit);
  const xidRounds = Array.from({ length: gpus }, () => codes.map(() => below(rounds)).toSorted((a, b) => a - b));
  const hotFrom = below(rounds - hotRounds - coolRounds + 1);
  const lastsFrom = below(rounds - hotRounds + 1);
  const resetAt = Math.floor(rounds / 2) + below(Math.ceil(rounds / 2));
  const isHot = (gpu: number, round: number): boolean =>
    (gpu === briefly && round >= hotFrom && round < hotFrom + hotRounds) || (gpu === lastingly && round >= lastsFrom);
  const metricsOf = (gpu: number, round: number): Record<string, number> => {
    const energy = gpu === isReset && round >= resetAt ? 0 : energyOfHourMillijoules;
    return {
      temperature: isHot(gpu, round) ? hotCelsius : coolCelsius,
      // several in a round: the gauge shows the last one
      xid_error: codes[(xidRounds[gpu] ?? []).filter((at) => at <= round).length - 1] ?? 0,
      row_remap_failure: gpu === 0 ? 1 : 0,
      total_energy_mj: energy + 400 * (round + 1000),
    };
  };
  return {
    rounds,
    read: (round, timeMs) => ({ timeMs, gpus: Array.from({ length: gpus }, (_, gpu) => metricsOf(gpu, round)) }),
  };
}
