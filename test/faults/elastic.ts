import { parseArgs } from "node:util";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { runElastic } from "./harness/elastic/run-elastic.ts";
import type { ElasticRole } from "./harness/elastic/elastic-pipeline.ts";
import { startPlainServers } from "./harness/processes.ts";

const usage = `Reads a file while collectors grow from 2 to 5 and shrink to 1, and streamers grow from 1 to 3 and shrink to 1.
  bun run test:elastic [--samples 2000000] [--rate 12000] [--batch 1000] [--seed 1]
--samples is the size of the file, --rate the most samples that a streamer publishes per second, --batch the rows in a message.
Prints what each process did, and exits with 1 if something was lost or stored twice.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "2000000" },
    rate: { type: "string", default: "12000" },
    batch: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
  },
});

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const servers = await startPlainServers();
let hasFailed = true;
try {
  const result = await runElastic({
    ...{ servers, seed: Number(values.seed) },
    ...{ samples: Number(values.samples), samplesPerSecond: Number(values.rate), batchSize: Number(values.batch) },
  });
  result.history.forEach(print);
  for (const [role, shares] of Object.entries(result.shares)) {
    const total = shares.reduce((sum, { samples }) => sum + samples, 0);
    for (const { name, samples } of shares) print(`${name.padEnd(14)} ${((100 * samples) / total).toFixed(1)} %`);
    const first = result.untilFirstWorkMs[role as ElasticRole].map((ms) => `${(ms / 1000).toFixed(1)} s`);
    print(`each new ${role} worked after ${first.join(", ")}`);
  }
  print(`longest time between SIGTERM and the end of a process: ${(result.longestStopMs / 1000).toFixed(1)} s`);
  result.violations.forEach((violation) => print(`! ${violation}`));
  hasFailed = result.violations.length > 0;
  print(hasFailed ? `FAILED; logs: ${result.logFolder}` : "I1-I7, I10 held: nothing was lost or stored twice");
} finally {
  await servers.stop();
}
process.exit(hasFailed ? 1 : 0);
