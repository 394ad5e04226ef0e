import { constants } from "node:os";
import { parseArgs } from "node:util";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { type FilesResult, runFiles } from "./harness/files/run-files.ts";
import { checkoutOf, previous } from "../upgrade/checkouts.ts";
import { startPlainServers, startServers } from "./harness/processes.ts";
import { runPushes } from "./harness/pushes/run-pushes.ts";
import { runSeed, type SeedOptions, type SeedResult } from "./harness/run-seed.ts";
import { type FaultKind, faultKinds } from "./harness/scenario.ts";
import { runScrapes, scrapingStreamers, type ScrapesResult } from "./harness/scrapes/run-scrapes.ts";

const usage = `Imports a file while faults are inflicted, and compares it with the store. Unless the database loses data, GPUs of another
cluster have faults meanwhile, and the faults that the coordinators report are compared with the records of these GPUs, as is what
gateways send to clients of WebSockets.
  bun run test:faults [--scrapes] [--seed 1] [--seeds 3] [--seconds 8] [--minutes N] [--first KIND] [--only KIND] [--late] [--tokens]
                      [--upgrade] [--certificates]
  bun run test:faults --files [the options above except --scrapes and --upgrade]
  bun run test:faults --pushes [--seed 1] [--records 1000000]
With --pushes, clients push records while gateways and collectors are killed, and the store is compared with what was pushed.
With --files, streamers read a file that grows, shrinks, is replaced and rotated meanwhile, files that repeat, contradict and come late,
and a file that is played again and again (LOOP_MODE).
With --scrapes, scrapes 100 exporters with 1, 3 and 1 streamers instead. With --late, history is settled at once, so that most
records are late for a settled hour. With --tokens, etcd demands a user, and its tokens expire after two seconds. With --certificates, servers
and clients have TLS on one machine, and the first fault renews all certificates, by another authority. With --upgrade, the
processes that read and store the file begin with an earlier version, and are replaced by this one meanwhile; nothing else runs.
Runs --seeds seeds, starting with --seed, each with --seconds of faults. With --minutes, runs seeds until that time is up, and
ignores --seeds. Stops at the first seed that fails, and prints its history. --first sets the kind of each seed's first fault, --only
that of all its faults:
${faultKinds.join(", ")}.
The same seed with the same options inflicts the same faults at the same times.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "3" },
    seconds: { type: "string", default: "8" },
    minutes: { type: "string" },
    first: { type: "string" },
    only: { type: "string" },
    scrapes: { type: "boolean", default: false },
    late: { type: "boolean", default: false },
    tokens: { type: "boolean", default: false },
    files: { type: "boolean", default: false },
    upgrade: { type: "boolean", default: false },
    certificates: { type: "boolean", default: false },
    pushes: { type: "boolean", default: false },
    records: { type: "string", default: "1000000" },
  },
});

/** What was seen in a seed, in words. */
type Seen = Pick<SeedResult, "seed" | "faults" | "violations" | "history" | "seconds" | "logFolder"> & {
  readonly invariants: string;
  readonly seen: string;
};

async function run(options: SeedOptions): Promise<Seen> {
  if (values.scrapes) {
    const result = await runScrapes(options);
    return { ...result, invariants: "I5, I6, I9", seen: scrapesText(result) };
  }
  if (values.files) {
    const result = await runFiles({ ...options, settles: values.late });
    return { ...result, invariants: "I1-I8, I10", seen: filesText(result) };
  }
  const result = await runSeed({ ...options, settles: values.late, olderCheckout });
  const { observations, settledObservations, faultsToTell, breaks } = result;
  return {
    ...result,
    invariants: faultsToTell === undefined ? "I1-I8, I10" : "I1-I8, I10-I12",
    seen: `I4 observed ${observations} times, I8 with settled history ${settledObservations} times, I11 with ${faultsToTell ?? 0} faults, I12 with ${breaks} breaks`,
  };
}

function scrapesText({ figures, takenOverAfterMs }: ScrapesResult): string {
  if (figures === undefined) return "not judged";
  const { scheduled, received, late, missed } = figures;
  const reasons = Object.entries(missed).map(([reason, count]) => `${count} ${reason}`);
  const takenOver = `${(takenOverAfterMs / 1000).toFixed(1)} s until a killed streamer's targets were taken over`;
  return `${scheduled} scrapes: ${received} received (${late} late), missed: ${reasons.join(", ")}; ${takenOver}`;
}

function filesText({ figures, observations, settledObservations }: FilesResult): string {
  const observed = `I4 observed ${observations} times, I8 with settled history ${settledObservations} times`;
  if (figures === undefined) return `${observed}, not judged`;
  const { contents, rounds, records, contradictions, quarantined } = figures;
  return `${observed}, ${contents} contents of files and ${rounds} rounds: ${records} records, ${contradictions} contradicting values, ${quarantined} rows in quarantine`;
}

function kindOf(option: "first" | "only"): FaultKind | undefined {
  const kind = faultKinds.find((each) => each === values[option]);
  if (kind !== values[option]) throw new TypeError(`--${option} must be one of ${faultKinds.join(", ")}`);
  return kind;
}

/** @returns whether all held */
async function pushes(): Promise<boolean> {
  const [plain, seed] = [await startPlainServers(), Number(values.seed)];
  try {
    const options = { servers: plain, seed, records: Number(values.records), batchMaxRows: 5000 };
    const { violations, history, figures, seconds, logFolder } = await runPushes(options);
    const { pushes: sent, sentAgain, kills } = figures;
    process.stdout.write(
      `seed ${seed}: ${options.records} records in ${sent} pushes, ${sentAgain} of them sent again, ${kills} kills, ${seconds.toFixed(0)} s\n`,
    );
    if (violations.length === 0) return true;
    process.stdout.write(
      `${[...history, ...violations.map((each) => `! ${each}`)].join("\n")}\n  logs: ${logFolder}\n`,
    );
    return false;
  } finally {
    await plain.stop();
  }
}

function report({ seed, faults, violations, history, invariants, seen, seconds, logFolder }: Seen): void {
  const counts = Object.entries(Object.groupBy(faults, ({ kind }) => kind)).map(
    ([kind, all]) => `${all?.length} ${kind}`,
  );
  const verdict = `${invariants} ${violations.length === 0 ? "held" : "FAILED"}`;
  process.stdout.write(
    `seed ${seed}: ${verdict}, ${faults.length} faults (${counts.join(", ")}), ${seen}, ${seconds.toFixed(0)} s\n`,
  );
  if (violations.length === 0) return;
  process.stdout.write(`${history.map((line) => `  ${line}`).join("\n")}\n`);
  process.stdout.write(`${violations.map((line) => `  ! ${line}`).join("\n")}\n  logs: ${logFolder}\n`);
  const options = [
    values.scrapes ? " --scrapes" : "",
    values.files ? " --files" : "",
    values.late ? " --late" : "",
    values.tokens ? " --tokens" : "",
    values.certificates ? " --certificates" : "",
    values.upgrade ? " --upgrade" : "",
    first === undefined ? "" : ` --first ${first}`,
    only === undefined ? "" : ` --only ${only}`,
  ];
  process.stdout.write(
    `  again: bun run test:faults --seed ${seed} --seeds 1 --seconds ${values.seconds}${options.join("")}\n`,
  );
}

if (values.pushes) process.exit((await pushes()) ? 0 : 1);
const firstSeed = Number(values.seed);
const only = kindOf("only");
const first = kindOf("first") ?? (values.certificates ? "renew-certificates" : undefined);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const olderCheckout = values.upgrade ? (await checkoutOf(previous)).dir : undefined;
const startedAtMs = Date.now();
const isOver = (ran: number): boolean =>
  minutes === undefined ? ran >= Number(values.seeds) : Date.now() - startedAtMs >= minutes * 60_000;
const streamerHosts = values.scrapes ? scrapingStreamers : 0;
const servers = await startServers({ streamerHosts, authenticates: values.tokens, tls: values.certificates });
// processes of the pipeline end with this one; namespaces of a network do not
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => void servers.stop().finally(() => process.exit(128 + constants.signals[signal])));
}
let faults = 0;
let ran = 0;
let failed = false;
try {
  while (!failed && !isOver(ran)) {
    const result = await run({
      servers,
      seed: firstSeed + ran,
      durationMs: Number(values.seconds) * 1000,
      first,
      only,
    });
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
