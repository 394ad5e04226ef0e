import { parseArgs } from "node:util";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import type { SeriesSource } from "../../src/promql/series-source.ts";
import { gatewayOver, openFleetStore } from "../routes/gateway.ts";
import { type Answer, differenceOf } from "./compare.ts";
import { expressions } from "./dashboards.ts";
import { deviceRecords, deviceSeries, deviceStartMs } from "./device-set.ts";
import { type Asked, evaluated, pathOf } from "./evaluator.ts";
import { generateQuery } from "./generate-query.ts";
import { compareScraped } from "./scraped-counts.ts";
import { remoteWrite } from "./remote-write.ts";
import { Seeded } from "./seeded.ts";
import { SeriesInMemory, seriesMs, seriesSet, seriesStartMs } from "./series-set.ts";

const usage = `Compares our answers to PromQL with those of a real Prometheus, which is Debian's.
  bun run test:promql [--seed 1] [--queries 500] [--record]
  bun run test:promql --scraped [--hold 5]
--record writes the answers that test/promql/api.test.ts expects.
--scraped lets a streamer and the Prometheus scrape the same exporters, whose GPUs vanish and come back, and compares what both count: at each
second of the seconds (--hold) that each step lasts after both had the right answers.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values: given } = parseArgs({
  options: {
    seed: { type: "string" },
    queries: { type: "string" },
    record: { type: "boolean" },
    scraped: { type: "boolean" },
    hold: { type: "string" },
  },
});
const seed = Number(given.seed ?? 1);
const queries = Number(given.queries ?? 500);
const flags = ["--web.enable-remote-write-receiver"];
let failures = 0;

/** What a server answers. */
type Ask = (query: string, asked: Asked) => Promise<Answer>;

const answersOf =
  (url: string): Ask =>
  async (query, asked) =>
    (await (await fetch(url + pathOf(query, asked))).json()) as Answer;

function report(query: string, asked: Asked, difference: string | undefined): void {
  if (difference === undefined) return;
  failures += 1;
  console.log(`differs: ${query}\n  ${JSON.stringify(asked)}\n  ${difference}`);
}

function askedAt(random: Seeded): Asked {
  if (random.isOneIn(2)) return { atMs: seriesStartMs + random.below(seriesMs) };
  const startMs = seriesStartMs + random.below(600_000);
  const endMs = startMs + random.below(seriesMs - 600_000);
  return { startMs, endMs, stepMs: random.pick([7500, 15_000, 60_000, 300_000]) };
}

/** Generated queries, whose series have everything that a Prometheus may have: NaN, infinity, series that end. */
async function compareGenerated(theirs: Ask, source: SeriesSource): Promise<void> {
  const random = new Seeded(seed + 1000);
  let withSeries = 0;
  for (let count = 0; count < queries; count += 1) {
    const query = generateQuery(random);
    const asked = askedAt(random);
    const expected = await theirs(query, asked);
    if (expected.status === "success" && (expected.data?.result.length ?? 0) > 0) withSeries += 1;
    report(query, asked, differenceOf(await evaluated(query, asked, source), expected, "startMs" in asked));
  }
  console.log(`${queries} generated queries (seed ${seed}), of which ${withSeries} have an answer with series`);
}

/** Expressions of dashboards, answered by the API from records in the store. */
async function compareDashboards(theirs: Ask): Promise<object[]> {
  const stored = await openFleetStore([]);
  await stored.store.ingest(messageOf("devices", makeBatch(deviceRecords)));
  const gateway = gatewayOver(stored);
  const recorded: object[] = [];
  for (const [index, query] of expressions.entries()) {
    const startMs = deviceStartMs + 60_000;
    const steps: readonly Asked[] = [
      { atMs: deviceStartMs + 300_000 + index * 7000 },
      { startMs, endMs: startMs + 1_500_000, stepMs: 300_000 },
      { startMs, endMs: startMs + 1_500_000, stepMs: 15_000 },
    ];
    for (const [which, asked] of steps.entries()) {
      const answer = await theirs(query, asked);
      const response = await gateway.get(pathOf(query, asked));
      report(query, asked, differenceOf((await response.json()) as Answer, answer, "startMs" in asked));
      if (which === 1) recorded.push({ query, asked, answer: { status: answer.status, data: answer.data } });
    }
  }
  await stored.close();
  console.log(`${expressions.length} expressions of dashboards`);
  return recorded;
}

if (given.scraped === true) {
  const { differing, instants, steps } = await compareScraped({ holdMs: Number(given.hold ?? 5) * 1000 });
  for (const difference of differing) console.log(difference);
  console.log(`${steps.length} steps, ${instants} instants; ${differing.length} answers differ`);
  process.exit(differing.length === 0 ? 0 : 1);
}

for (const [series, compare] of [
  [seriesSet(seed), (theirs: Ask) => compareGenerated(theirs, new SeriesInMemory(seriesSet(seed)))],
  [deviceSeries(), compareDashboards],
] as const) {
  const prometheus = await openPrometheus("global: {}\n", {}, { flags });
  try {
    await remoteWrite(prometheus.url, series);
    const recorded = await compare(answersOf(prometheus.url));
    if (given.record === true && recorded !== undefined) {
      const head = `import type { Asked } from "./evaluator.ts";\n\n/** Answers of Prometheus 2.53, recorded by bun run test:promql --record. */`;
      const type = "readonly { readonly query: string; readonly asked: Asked; readonly answer: unknown }[]";
      const lines = recorded.map((each) => `  ${JSON.stringify(each)},`).join("\n");
      await Bun.write(
        `${import.meta.dir}/recorded.ts`,
        `${head}\n// prettier-ignore\nexport const recorded: ${type} = [\n${lines}\n];\n`,
      );
    }
  } finally {
    await prometheus.close();
  }
}
console.log(failures === 0 ? "all answers are equal" : `${failures} answers differ`);
process.exitCode = failures === 0 ? 0 : 1;
