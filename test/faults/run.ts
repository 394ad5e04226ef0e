import { parseArgs } from "node:util";
import { startServers } from "./harness/processes.ts";
import { runSeed, type SeedResult } from "./harness/run-seed.ts";
import { faultKinds } from "./harness/scenario.ts";

// bun run test:faults [--seed N] [--seeds N] [--seconds N] [--minutes N] [--first KIND]
// Runs --seeds seeds, starting with --seed, each with --seconds of faults. With --minutes, runs seeds until that time is up, and
// ignores --seeds. Stops at the first seed that fails, and prints its history. --first sets the kind of each seed's first fault,
// such as cluster-disk. The same seed with the same options inflicts the same faults at the same times.

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "3" },
    seconds: { type: "string", default: "8" },
    minutes: { type: "string" },
    first: { type: "string" },
  },
});

function report({ seed, faults, violations, history, observations, seconds, logFolder }: SeedResult): void {
  const counts = Object.entries(Object.groupBy(faults, ({ kind }) => kind)).map(
    ([kind, all]) => `${all?.length} ${kind}`,
  );
  const verdict = violations.length === 0 ? "held" : "FAILED";
  process.stdout.write(
    `seed ${seed}: I1-I7, I10 ${verdict}, ${faults.length} faults (${counts.join(", ")}), I4 observed ${observations} times, ${seconds.toFixed(0)} s\n`,
  );
  if (violations.length === 0) return;
  process.stdout.write(`${history.map((line) => `  ${line}`).join("\n")}\n`);
  process.stdout.write(`${violations.map((line) => `  ! ${line}`).join("\n")}\n  logs: ${logFolder}\n`);
  process.stdout.write(
    `  again: bun run test:faults --seed ${seed} --seeds 1 --seconds ${values.seconds}${first === undefined ? "" : ` --first ${first}`}\n`,
  );
}

const firstSeed = Number(values.seed);
const first = faultKinds.find((kind) => kind === values.first);
if (first !== values.first) throw new TypeError(`--first must be one of ${faultKinds.join(", ")}`);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const startedAtMs = Date.now();
const isOver = (ran: number): boolean =>
  minutes === undefined ? ran >= Number(values.seeds) : Date.now() - startedAtMs >= minutes * 60_000;
const servers = await startServers();
let faults = 0;
let ran = 0;
let failed = false;
try {
  while (!failed && !isOver(ran)) {
    const result = await runSeed({ servers, seed: firstSeed + ran, durationMs: Number(values.seconds) * 1000, first });
    report(result);
    faults += result.faults.length;
    failed = result.violations.length > 0;
    ran += 1;
  }
} finally {
  await servers.stop();
}
process.stdout.write(`${ran} seeds, ${faults} faults, ${failed ? "1 failed" : "all held"}\n`);
process.exit(failed ? 1 : 0);
