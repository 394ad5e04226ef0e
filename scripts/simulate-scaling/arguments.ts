import { parseArgs } from "node:util";
import type { Curve } from "./curve.ts";
import { curves } from "./curves.ts";

export const usage = `Runs load curves through the decisions about the number of collectors, with a model of the queue.

  bun run simulate-scaling [--curve NAME] [--seed N] [--width N]

  --curve NAME   one curve: ${curves.map(({ name }) => JSON.stringify(name)).join(", ")} (all)
  --seed N       seed of the collectors' rates, start times and heartbeats; 0 to 4294967295 (1)
  --width N      width of the plots, 40 to 200 (the terminal's width, at most 80)

The settings SCALING_... and QUEUE_... apply, such as SCALING_COLLECTOR_MAX=20.

late: seconds in which the oldest message was older than the target; worst: its greatest age; cost: instance-seconds, compared
with a scaler that knows the load in advance. Exits with 1 if a curve breaks one of its rules.
`;

/** The curves to run, and how to show them. */
export interface SimulateScalingArguments {
  readonly curves: readonly Curve[];
  readonly seed: number;
  readonly width: number;
}

const options = {
  curve: { type: "string" },
  seed: { type: "string", default: "1" },
  width: { type: "string" },
} as const;

/** @param columns the terminal's width; undefined if there is no terminal
 *  @throws TypeError that says which argument is not usable, and why */
export function parseArguments(args: string[], columns: number | undefined): SimulateScalingArguments {
  const { values } = parseArgs({ args, options });
  return {
    curves: values.curve === undefined ? curves : [curveNamed(values.curve)],
    seed: wholeNumber("--seed", values.seed, [0, 4_294_967_295]),
    width: values.width === undefined ? Math.min(80, columns || 80) : wholeNumber("--width", values.width, [40, 200]),
  };
}

function curveNamed(name: string): Curve {
  const curve = curves.find((candidate) => candidate.name === name);
  if (curve !== undefined) return curve;
  const names = curves.map((candidate) => candidate.name).join(", ");
  throw new TypeError(`--curve ${JSON.stringify(name)} is not usable: expected one of ${names}`);
}

function wholeNumber(name: string, text: string, [min, max]: readonly [number, number]): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new TypeError(`${name} ${JSON.stringify(text)} is not usable: expected a whole number from ${min} to ${max}`);
}
