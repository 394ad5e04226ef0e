import { parseArgs } from "node:util";
import { type ExporterDialect, exporterDialects } from "../../dev/exporters/exporter-dialect.ts";
import { faultUsage } from "../../dev/exporters/faults.ts";
import type { ServeExportersOptions } from "../../dev/exporters/serve-exporters.ts";
import { defined } from "../../src/kit/defined.ts";
import { milliseconds, shareOptions, sharesOf, shareUsage, wholeNumber } from "./argument-values.ts";

export const serveUsage = `Serves a simulated fleet as exporters that can be scraped, one for each host, until Ctrl-C.

  bun run simulate --serve PORT [--hosts N] [--gpus-per-host N] [--dialect NAME] [--per port|path] [--targets-file FILE]
                   [--fault FAULT]... [--interval SPAN] [--seed N] [--bind ADDRESS]

  --serve PORT         the first port; 0 for any that are free
  --hosts N            hosts, 1 to 20000 (4)
  --gpus-per-host N    GPUs on each host, 1 to 16 (8)
  --dialect NAME       ${exporterDialects.join(", ")} (4.9)
  --per port|path      each exporter has a port and /metrics, or all have one port and /HOST/metrics (port)
  --targets-file FILE  file to write for DCGM_TARGETS_FILE, with all exporters
  --fault FAULT        a fault; may be repeated
  --interval SPAN      time between two collections, with its unit: 100ms to 1h (1s)
  --seed N             seed of all random choices, those of faults included; 0 to 4294967295 (1)
  --bind ADDRESS       address to listen on (127.0.0.1)

A fault is ${faultUsage}

GET, PUT (one fault a line) and DELETE of /-/faults, on any of the ports, show, replace and end the faults while it runs.

${shareUsage}`;

/** The exporters to serve, and the file to write. */
export interface ServeArguments {
  readonly exporters: ServeExportersOptions;
  /** Undefined: none. */
  readonly targetsFile: string | undefined;
}

const options = {
  serve: { type: "string" },
  hosts: { type: "string", default: "4" },
  "gpus-per-host": { type: "string", default: "8" },
  dialect: { type: "string", default: "4.9" },
  per: { type: "string", default: "port" },
  "targets-file": { type: "string" },
  fault: { type: "string", multiple: true },
  interval: { type: "string", default: "1s" },
  seed: { type: "string", default: "1" },
  bind: { type: "string" },
  ...shareOptions,
} as const;

/** True if the arguments ask for exporters in place of a file. */
export function isServe(args: readonly string[]): boolean {
  return args.some((arg) => arg === "--serve" || arg.startsWith("--serve="));
}

/** @returns the arguments, with the defaults of those that are absent
 *  @throws TypeError that says which argument is not usable, and why */
export function parseServeArguments(args: readonly string[]): ServeArguments {
  const { values } = parseArgs({ args: [...args], options });
  const hosts = wholeNumber("--hosts", values.hosts, [1, 20_000]);
  const per = oneOf("--per", values.per, ["port", "path"] as const);
  const lastPort = per === "port" ? 65_536 - hosts : 65_535;
  return {
    exporters: {
      hosts,
      per,
      port: wholeNumber("--serve", values.serve ?? "", [0, lastPort]),
      gpusPerHost: wholeNumber("--gpus-per-host", values["gpus-per-host"], [1, 16]),
      dialect: oneOf<ExporterDialect>("--dialect", values.dialect, exporterDialects),
      intervalMs: milliseconds("--interval", values.interval),
      seed: wholeNumber("--seed", values.seed, [0, 4_294_967_295]),
      shares: sharesOf(values),
      faults: values.fault ?? [],
      clusterId: "",
      ...defined({ bind: values.bind }),
    },
    targetsFile: values["targets-file"],
  };
}

function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new TypeError(`${option} ${JSON.stringify(text)} is not usable: expected ${names.join(", ")}`);
}
