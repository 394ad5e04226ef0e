import { parseArgs } from "node:util";
import { until } from "../dev/until.ts";
import { milliseconds, wholeNumber } from "../scripts/simulate/argument-values.ts";
import { type Backlog, followBacklog } from "./live-fleet/backlog.ts";
import { type FleetUsage, diskText, etcdText, fleetUsage, usageTable } from "./live-fleet/fleet-usage.ts";
import { followFreshness, type Freshness } from "./live-fleet/freshness.ts";
import { type LiveFleet, startLiveFleet } from "./live-fleet/live-fleet.ts";
import {
  accountOf,
  type Ledger,
  ledgerOf,
  type ScrapeAccount,
  type ScrapeStages,
  stagesOf,
} from "./live-fleet/scrape-account.ts";
import { grouped, print } from "./support/output.ts";
import { median, quantile } from "./support/statistics.ts";

//   bun bench/live-fleet.ts [--minutes 10] [--hosts 1250] [--interval 15s] [--dialect 4.9] [--streamers 1] [--collectors 1]
//     [--gateways 1] [--workers 8]
// Scrapes simulated exporters of 8 GPUs and 26 metrics each, through etcd into TimescaleDB, both of which sync their writes.
// Prints what became of each scheduled scrape, how soon its records can be read, how much waited in the queue, and what each process and
// each disk has used. Exits with 1 if a scrape is missing, or if the freshness's p99 is 5 s or more. docs/CAPACITY.md uses the figures.

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    hosts: { type: "string", default: "1250" },
    interval: { type: "string", default: "15s" },
    dialect: { type: "string", default: "4.9" },
    streamers: { type: "string", default: "1" },
    collectors: { type: "string", default: "1" },
    gateways: { type: "string", default: "1" },
    workers: { type: "string", default: "8" },
  },
});
const minutes = wholeNumber("--minutes", values.minutes, [1, 1440]);
const intervalMs = milliseconds("--interval", values.interval);
const options = {
  hosts: wholeNumber("--hosts", values.hosts, [1, 20_000]),
  interval: values.interval,
  dialect: values.dialect,
  streamers: wholeNumber("--streamers", values.streamers, [1, 16]),
  collectors: wholeNumber("--collectors", values.collectors, [1, 16]),
  gateways: wholeNumber("--gateways", values.gateways, [1, 16]),
  workers: wholeNumber("--workers", values.workers, [1, 256]),
};
/** The p99 of the time from a scrape's scheduled instant until its records can be read. */
const freshnessLimitMs = 5000;
/** A scrape may take a while before it is missed. */
const settleMs = 15_000;

/** What was measured. `usage` is that of the beginning and of the end. */
interface Result {
  readonly account: ScrapeAccount;
  readonly stages: ScrapeStages;
  readonly freshness: Freshness;
  readonly usage: readonly [FleetUsage, FleetUsage];
  readonly backlog: Backlog;
  /** Of the whole run: scrapes, and readings of devices. */
  readonly ledgers: Readonly<Record<"target" | "cluster", Ledger>>;
}

/** Waits until every target was scraped once, and for one interval more: the first scrapes also store the GPUs themselves. */
async function warmUp({ sql, targets }: LiveFleet): Promise<void> {
  const isComplete = async (): Promise<boolean> => {
    const [row] = await sql<{ sources: number }[]>`
      select count(distinct source_id)::int as sources from ingested_messages where samples > 0`;
    return row?.sources === targets.length;
  };
  await until(isComplete, { timeoutMs: 4 * intervalMs + 240_000, everyMs: 1000 });
  await Bun.sleep(intervalMs);
}

async function measure(fleet: LiveFleet, startedMs: number): Promise<Result> {
  const { gatewayUrl, sql, targets } = fleet;
  const client = await followFreshness(gatewayUrl);
  try {
    await warmUp(fleet);
    const fromMs = Date.now();
    const toMs = fromMs + minutes * 60_000;
    print(`warm after ${((fromMs - startedMs) / 1000).toFixed(0)} s; measuring for ${minutes} min`);
    client.measure(fromMs, toMs);
    const before = await fleetUsage(fleet);
    const backlog = await followBacklog(gatewayUrl, toMs);
    const after = await fleetUsage(fleet);
    // the ledger takes a reading as unreported when an interval has passed
    await Bun.sleep(intervalMs + settleMs);
    const ledger = (by: "target" | "cluster") => ledgerOf(gatewayUrl, by, startedMs);
    return {
      account: await accountOf(sql, targets, { fromMs, toMs, intervalMs }),
      stages: await stagesOf(sql, { fromMs, toMs }),
      freshness: await client.result(),
      usage: [before, after],
      backlog,
      ledgers: { target: await ledger("target"), cluster: await ledger("cluster") },
    };
  } finally {
    client.close();
  }
}

function freshnessText(times: readonly number[]): string {
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const [p50, p99, max] = [median(times), quantile(times, 0.99), quantile(times, 1)].map(seconds);
  return `p50 ${p50} s, p99 ${p99} s, greatest ${max} s of ${grouped(times.length)}`;
}

function ledgerText({ expected, received, late, missed }: Ledger): string {
  const reasons = Object.entries(missed).map(([reason, count]) => `, ${grouped(count)} ${reason}`);
  return `${grouped(expected)} expected, ${grouped(received)} received, ${grouped(late)} of them late${reasons.join("")}`;
}

function report({ account, stages, freshness, usage: [before, after], backlog, ledgers }: Result): void {
  const { scheduled, stored, records, rows, samples, lacking } = account;
  print(`scrapes due in this time: ${grouped(scheduled)}, stored: ${grouped(stored)}, missing: ${scheduled - stored}`);
  lacking.slice(0, 5).forEach((text) => print(`  ${text}`));
  print(
    `records: ${grouped(records)} in messages, ${grouped(rows)} in the table, ${grouped(freshness.newestMs.length)} over /ws`,
  );
  print(
    `samples: ${grouped(samples)}, ${grouped(samples / (minutes * 60))} a second, ${(samples / records).toFixed(1)} a record`,
  );
  print(`the ledger since the start, by scrape: ${ledgerText(ledgers.target)}`);
  print(`the ledger since the start, by GPU: ${ledgerText(ledgers.cluster)}`);
  print(`freshness, newest state (/ws): ${freshnessText(freshness.newestMs)}`);
  print(`freshness, history (REST): ${freshnessText(freshness.historyMs)}`);
  print(`  until the message was published: ${freshnessText(stages.publishedMs)}`);
  print(`  in the queue: ${freshnessText(stages.queuedMs)}`);
  print(`messages in the queue: at most ${backlog.depth}, the oldest at most ${backlog.lagSeconds.toFixed(2)} s old`);
  print(diskText(before.disk, after.disk, samples));
  print(etcdText(before.disk, after.disk, stored));
  usageTable(before, after).forEach(print);
}

function reportLog(logged: readonly string[]): void {
  print(`logged by the pipeline's processes: ${logged.length} warnings and errors`);
  logged.slice(0, 20).forEach((line) => print(`  ${line}`));
}

function faultsOf({ account, freshness }: Result): string[] {
  const { scheduled, stored, lacking, records, rows } = account;
  const p99Ms = Math.max(quantile(freshness.newestMs, 0.99), quantile(freshness.historyMs, 0.99));
  return [
    ...(scheduled === stored && lacking.length === 0 ? [] : [`${scheduled - stored} scrapes are not stored`]),
    ...(records === rows ? [] : [`the messages had ${records} records, the table has ${rows}`]),
    ...(freshness.newestMs.length === rows ? [] : [`${freshness.newestMs.length} of ${rows} records came over /ws`]),
    ...(p99Ms < freshnessLimitMs ? [] : [`the freshness's p99 is not below ${freshnessLimitMs / 1000} s`]),
  ];
}

const stops: (() => Promise<unknown>)[] = [];
try {
  const startedMs = Date.now();
  print(
    `${grouped(options.hosts)} exporters (${options.dialect}) of 8 GPUs, scraped every ${options.interval}: ` +
      `streamers: ${options.streamers}, collectors: ${options.collectors} of ${options.workers} workers, gateways: ${options.gateways}`,
  );
  const fleet = await startLiveFleet(options, stops);
  const result = await measure(fleet, startedMs).finally(() => reportLog(fleet.logged()));
  report(result);
  const faults = faultsOf(result);
  print(faults.length === 0 ? "ok" : faults.join("\n"));
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  for (const stop of stops.toReversed()) await stop();
}
process.exit();
