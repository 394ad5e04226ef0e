import { parseArgs } from "node:util";
import { startPostgres } from "../dev/servers/postgres.ts";
import { startPipeline, stopPipeline } from "../dev/pipeline-process.ts";
import { startPrometheus } from "./peers/prometheus.ts";
import { startVictoriaMetrics } from "./peers/victoria-metrics.ts";
import { fleetOf, jsonLinesOf, openMetricsOf } from "./query/data.ts";
import { measureMonth } from "./query/month.ts";
import { type Question, questionsOf } from "./query/questions.ts";
import { storeSettledFleet } from "./query/store-fleet.ts";
import { print } from "./support/output.ts";
import { median, quantile } from "./support/statistics.ts";

// Measures the response times of queries to settled history: a gateway on TimescaleDB, compared with VictoriaMetrics and Prometheus. All three
// have the same samples and answer the same questions over HTTP. Exits with 1 if answers differ by more than the question's
// tolerance. Then it measures averages by the hour over a month of a large fleet, which the store has settled.

const { values } = parseArgs({
  options: {
    gpus: { type: "string", default: "4160" },
    instants: { type: "string", default: "241" },
    runs: { type: "string", default: "200" },
    // only the questions whose names begin so
    question: { type: "string", default: "" },
  },
});
const [gpus, instants, runs] = [Number(values.gpus), Number(values.instants), Number(values.runs)];
const metricsPerRecord = 10;

interface Side {
  readonly name: string;
  readonly url: string;
}

interface AskedSide extends Side {
  /** The path and query of a run's request. */
  readonly path: (run: number) => string;
  /** The milliseconds that each run took. */
  readonly times: number[];
}

async function ask(url: string): Promise<string> {
  const response = await fetch(url);
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url}: ${answer}`);
  return answer;
}

/** A process compiles and reads in what a question needs while it answers the first ones: each side answers it for so long before
 *  it is timed. The gateway becomes faster until it has answered about 10,000. */
const warmUpMs = 15_000;

/** The sides take turns, each with this share of its runs: what disturbs the machine for seconds then slows all of them. */
const turns = 10;

async function timeInTurns(sides: readonly AskedSide[]): Promise<void> {
  for (const { url, path } of sides) {
    const endMs = performance.now() + warmUpMs;
    for (let run = 0; performance.now() < endMs; run += 1) await ask(url + path(run));
  }
  for (let turn = 0; turn < turns; turn += 1) {
    for (const { url, path, times } of sides) {
      for (let run = Math.ceil((turn * runs) / turns); run < ((turn + 1) * runs) / turns; run += 1) {
        const started = performance.now();
        await ask(url + path(run));
        times.push(performance.now() - started);
      }
    }
  }
}

/** Counts the values of `ours` that are missing or different in `theirs`, and adds the difference between the numbers of values.
 *  @returns 0 if all values are equal within the tolerance */
function differences({ tolerance }: Question, ours: ReadonlyMap<string, number>, theirs: ReadonlyMap<string, number>) {
  let different = Math.abs(ours.size - theirs.size);
  for (const [key, value] of ours) {
    const other = theirs.get(key) ?? NaN;
    const isSame = value === other || Math.abs(value - other) <= tolerance * Math.abs(value);
    if (!isSame) different += 1;
  }
  return different;
}

async function measure(question: Question, ours: Side, peers: readonly Side[]): Promise<void> {
  print(question.name);
  const values = question.valuesOfOurs(await ask(ours.url + question.ours(1)));
  const ourSide: AskedSide = { ...ours, path: question.ours, times: [] };
  const theirSides: AskedSide[] = peers.map((peer) => ({ ...peer, path: question.theirs, times: [] }));
  await timeInTurns([ourSide, ...theirSides]);
  const show = ({ name, times }: AskedSide, more = ""): void =>
    print(`  ${name.padEnd(16)} p50 ${median(times).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(1)} ms${more}`);
  show(ourSide);
  for (const side of theirSides) {
    const different = differences(question, values, question.valuesOfTheirs(await ask(side.url + question.theirs(1))));
    if (different > 0) process.exitCode = 1;
    const ratio = (median(ourSide.times) / median(side.times)).toFixed(2);
    show(side, `; the gateway takes ${ratio} times as long; ${different} of ${values.size} values differ`);
  }
}

const fleet = fleetOf(gpus, instants, metricsPerRecord);
const server = await startPostgres();
const victoria = await startVictoriaMetrics();
const prometheus = await startPrometheus(openMetricsOf(fleet));
await storeSettledFleet(server.url, fleet);
for (const lines of jsonLinesOf(fleet)) await victoria.importLines(lines);
await victoria.flush();
const gateway = startPipeline({ ROLE: "gateway", DATABASE_URL: server.url });
try {
  const [, url = ""] = await gateway.waitFor(/(http:\/\/\S+:\d+)/);
  print(
    `${gpus * instants * metricsPerRecord} samples: ${gpus} GPUs, ${instants} instants, ${runs} runs per question after ${warmUpMs / 1000} s`,
  );
  const peers = [
    { name: "VictoriaMetrics", url: victoria.url },
    { name: "Prometheus", url: prometheus.url },
  ];
  const questions = questionsOf(fleet).filter(({ name }) => name.startsWith(values.question));
  for (const question of questions) await measure(question, { name: "gateway", url }, peers);
  if (values.question === "") await measureMonth(server.url, 5);
} finally {
  await stopPipeline(gateway);
  await Promise.all([server.stop(), victoria.stop(), prometheus.stop()]);
}
process.exit();
