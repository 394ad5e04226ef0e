import { parseArgs } from "node:util";
import { parseTimestamp } from "../../src/domain/timestamp.ts";
import type { DeviceShares } from "../../src/pipeline/source/simulated/devices/device-shares.ts";
import { milliseconds, shareOptions, sharesOf, shareUsage, wholeNumber } from "./argument-values.ts";

export const usage = `Writes the telemetry of a simulated fleet as a CSV file in dcgm-exporter's long layout.
bun run simulate --serve --help: the fleet as exporters that can be scraped.

  bun run simulate --out FILE [--hosts N] [--gpus-per-host N] [--seconds N] [--interval SPAN] [--seed N] [--start TIME]

  --out FILE          file to write; - for standard output
  --hosts N           hosts, 1 to 20000 (4)
  --gpus-per-host N   GPUs on each host, 1 to 16 (8)
  --seconds N         time that the file covers, in seconds, 1 to 31536000 (60)
  --interval SPAN     time between two readings, with its unit: 100ms to 1h (1s)
  --seed N            seed of all random choices, which makes the file reproducible; 0 to 4294967295 (1)
  --start TIME        instant of the first reading, RFC 3339 (2025-01-01T00:00:00Z)

${shareUsage}`;

/** The fleet to simulate, and the file to write. */
export interface SimulateArguments {
  readonly hosts: number;
  readonly gpusPerHost: number;
  readonly ticks: number;
  readonly intervalMs: number;
  readonly seed: number;
  readonly startMs: number;
  readonly shares: DeviceShares;
  readonly out: string;
}

const options = {
  out: { type: "string" },
  hosts: { type: "string", default: "4" },
  "gpus-per-host": { type: "string", default: "8" },
  seconds: { type: "string", default: "60" },
  interval: { type: "string", default: "1s" },
  seed: { type: "string", default: "1" },
  start: { type: "string", default: "2025-01-01T00:00:00Z" },
  ...shareOptions,
} as const;

/** @returns the arguments, with the defaults of those that are absent
 *  @throws TypeError that says which argument is not usable, and why */
export function parseArguments(args: string[]): SimulateArguments {
  const { values } = parseArgs({ args, options });
  const seconds = wholeNumber("--seconds", values.seconds, [1, 31_536_000]);
  const intervalMs = milliseconds("--interval", values.interval);
  return {
    out: fileName(values.out),
    hosts: wholeNumber("--hosts", values.hosts, [1, 20_000]),
    gpusPerHost: wholeNumber("--gpus-per-host", values["gpus-per-host"], [1, 16]),
    ticks: Math.ceil((seconds * 1000) / intervalMs),
    intervalMs,
    seed: wholeNumber("--seed", values.seed, [0, 4_294_967_295]),
    startMs: instant("--start", values.start),
    shares: sharesOf(values),
  };
}

function fileName(text: string | undefined): string {
  if (text === undefined || text === "")
    throw new TypeError("--out is missing: name the file to write, or - for standard output");
  return text;
}

function instant(name: string, text: string): number {
  const parsed = parseTimestamp(text);
  if ("ms" in parsed) return parsed.ms;
  throw new TypeError(`${name} is not usable: ${parsed.message}`);
}
