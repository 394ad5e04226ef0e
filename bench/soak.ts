import { appendFileSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { milliseconds, wholeNumber } from "../scripts/simulate/argument-values.ts";
import {
  distributedFleet,
  embeddedFleet,
  type Figures,
  type FleetUnderTest,
  type Stops,
} from "./soak/fleet-under-test.ts";
import { print } from "./support/output.ts";
import { memoryBytes } from "./support/process-usage.ts";

//   bun bench/soak.ts [--minutes 60] [--of both] [--max-gib 1] [--hosts 31] [--interval 1s] [--every 30s] [--history 0] [--settle-after 1]
//     [--samples FILE]
// Runs the simulated fleet, 248 GPUs once a second, with everything in one process and then with etcd and TimescaleDB, and samples the
// memory of each process, the disk, etcd's database and each table. Prints the table of docs/store.md, and which figures still grow once a
// whole hour (UTC) of rows was stored and settled, one to two hours after the start: until then, the rows of the hour that fills grow anyway.
// A shorter run only says what rose after its first quarter. Exits with 1 if the folder of the embedded store passes --max-gib.
// With --history, the store begins with so many past hours of the fleet, settled: rows then reuse space from the start, and with about 100
// hours the embedded store is at its limit. --samples appends every sample to a file, as a line of JSON.

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    of: { type: "string", default: "both" },
    "max-gib": { type: "string", default: "1" },
    hosts: { type: "string", default: "31" },
    interval: { type: "string", default: "1s" },
    every: { type: "string", default: "30s" },
    history: { type: "string", default: "0" },
    "settle-after": { type: "string", default: "1" },
    samples: { type: "string" },
  },
});
const minutes = wholeNumber("--minutes", values.minutes, [1, 1440]);
const everyMs = milliseconds("--every", values.every);
const options = {
  hosts: wholeNumber("--hosts", values.hosts, [1, 2000]),
  intervalMs: milliseconds("--interval", values.interval),
  maxGib: values["max-gib"],
  pastHours: wholeNumber("--history", values.history, [0, 10_000]),
  settleAfterMinutes: wholeNumber("--settle-after", values["settle-after"], [0, 10_080]),
};
const fleets = { embedded: embeddedFleet, distributed: distributedFleet };
const chosen = Object.entries(fleets).filter(([name]) => values.of === "both" || values.of === name);
if (chosen.length === 0) throw new Error(`--of=${values.of} is not usable: expected embedded, distributed or both`);
const mebibyte = 2 ** 20;
const hourMs = 3_600_000;

/** The figures of a moment, and the memory of each process. */
async function sampleOf({ parts, figures }: FleetUnderTest): Promise<Figures> {
  const memory = [...parts].map(([name, pid]) => [`memory of ${name}`, memoryBytes([pid])] as const);
  return new Map([...memory, ...(await figures())]);
}

async function samplesOf(fleet: FleetUnderTest): Promise<Figures[]> {
  const samples: Figures[] = [];
  const startedMs = performance.now();
  for (let number = 0; number * everyMs <= minutes * 60_000; number += 1) {
    await Bun.sleep(Math.max(0, number * everyMs - (performance.now() - startedMs)));
    const sample = await sampleOf(fleet);
    samples.push(sample);
    if (values.samples !== undefined)
      appendFileSync(values.samples, `${JSON.stringify({ at: new Date(), ...Object.fromEntries(sample) })}\n`);
  }
  return samples;
}

/** The samples by which growth is judged. */
interface Judged {
  /** The index of the first one. */
  readonly from: number;
  /** True if a whole hour of rows was stored and settled before it. */
  readonly isWhole: boolean;
}

/** A line through fewer samples says little. */
const judgedMin = 10;

/** @param count the number of samples */
function judgedOf(startedAtMs: number, count: number): Judged {
  const wholeAtMs = (Math.ceil(startedAtMs / hourMs) + 1) * hourMs + options.settleAfterMinutes * 60_000;
  const whole = Math.ceil((wholeAtMs - startedAtMs) / everyMs);
  const quarter = Math.ceil(count / 4);
  const isWhole = count - whole >= judgedMin;
  return { from: isWhole ? Math.max(whole, quarter) : quarter, isWhole };
}

/** A figure grows if its least-squares line over these samples rises by more than a tenth of their mean, and by more than 4 MiB, in their
 *  time: the table grew by less in an hour, if it did. */
function growthOf(later: readonly number[]): number {
  const mean = later.reduce((sum, value) => sum + value, 0) / later.length;
  const middle = (later.length - 1) / 2;
  let [product, square] = [0, 0];
  later.forEach((value, index) => {
    product += (index - middle) * (value - mean);
    square += (index - middle) ** 2;
  });
  const growth = square === 0 ? 0 : (product / square) * (later.length - 1);
  return growth > Math.max(mean / 10, 4 * mebibyte) ? growth : 0;
}

function printTable(samples: readonly Figures[], { from, isWhole }: Judged): void {
  const names = [...new Set(samples.flatMap((sample) => [...sample.keys()]))];
  const picks = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * (samples.length - 1)));
  const minuteOf = (index: number): string => `${((index * everyMs) / 60_000).toFixed(1)} min`;
  print(`| MiB | ${picks.map(minuteOf).join(" | ")} | greatest | after ${minuteOf(from)} |`);
  print(`| --- | ${picks.map(() => "---").join(" | ")} | --- | --- |`);
  for (const name of names) {
    const series = samples.map((sample) => sample.get(name) ?? 0);
    const greatest = Math.max(...series);
    if (greatest < mebibyte / 2) continue;
    const growth = growthOf(series.slice(from));
    const verdict = growth === 0 ? "flat" : `${isWhole ? "grows" : "rose"} by ${text(growth)}`;
    print(`| ${name} | ${picks.map((pick) => text(series[pick] ?? 0)).join(" | ")} | ${text(greatest)} | ${verdict} |`);
  }
  if (!isWhole)
    print(
      "no whole hour of rows was stored and settled: what rose may be the rows of the hour that filled; a run of two hours tells",
    );
}

function text(bytes: number): string {
  return (bytes / mebibyte).toFixed(1);
}

async function run(name: string, open: typeof embeddedFleet): Promise<boolean> {
  const stops: Stops = [];
  try {
    const fleet = await open(options, stops);
    print(
      `${name}: ${options.hosts * 8} GPUs every ${values.interval}, ${minutes} min, load ${readFileSync("/proc/loadavg", "utf8").slice(0, 4)}`,
    );
    const startedAtMs = Date.now();
    const samples = await samplesOf(fleet);
    printTable(samples, judgedOf(startedAtMs, samples.length));
    const folder = Math.max(...samples.map((sample) => sample.get("folder") ?? 0));
    const isOver = Number(options.maxGib) > 0 && folder > Number(options.maxGib) * 1024 * mebibyte;
    if (folder > 0)
      print(
        `the folder took at most ${text(folder)} MiB; DATA_MAX_GIB=${options.maxGib}: ${isOver ? "PASSED" : "kept"}`,
      );
    return !isOver;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

// the processes that it starts inherit this
setPriority(10);
let isKept = true;
for (const [name, open] of chosen) isKept = (await run(name, open)) && isKept;
process.exit(isKept ? 0 : 1);
