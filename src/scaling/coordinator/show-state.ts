import { formatTimestamp } from "../../domain/timestamp.ts";
import type { ScalingPolicy } from "./policy.ts";
import type { ScalingState } from "./scaling-state.ts";
import type { ScalingSignals, Signal } from "./signals.ts";

/** The rules in the shape of the state. */
export function showPolicy({ steps, streamer, collector, gateway }: ScalingPolicy): ScalingState["policy"] {
  const { marks, ...rest } = collector;
  return {
    steps: snakeKeys(steps),
    streamer: snakeKeys(streamer),
    collector: snakeKeys({ ...rest, ...marks }),
    gateway: snakeKeys(gateway),
  };
}

/** The figures in the shape of the state; those that are not known are left out. */
export function showSignals({ queue, collectors, streamers, gateways }: ScalingSignals): ScalingState["signals"] {
  return { queue: shown(queue), collectors: shown(collectors), streamers: shown(streamers), gateways: shown(gateways) };
}

function shown(group: object): ScalingState["signals"]["queue"] {
  const known = Object.entries(group).filter((entry): entry is [string, Signal] => entry[1] !== undefined);
  return Object.fromEntries(
    known.map(([name, { value, atMs }]) => [snakeCase(name), { value, at: formatTimestamp(atMs) }]),
  );
}

function snakeKeys<Values extends Readonly<Record<keyof Values, number>>>(values: Values): Record<string, number> {
  return Object.fromEntries(Object.entries<number>(values).map(([name, value]) => [snakeCase(name), value]));
}

/** `latencyMsP95` -> `latency_ms_p95`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
