import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { EtcdClient } from "../../../src/etcd/etcd-client.ts";
import { get, prefixRange } from "../../../src/etcd/requests.ts";
import { QueueKeys } from "../../../src/pipeline/queue/etcd/queue-keys.ts";
import { CheckpointKeys } from "../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { readPlan } from "../../../src/pipeline/stream/assignment/stored-plan.ts";
import { CsvSource } from "../../../src/pipeline/source/csv/csv-source.ts";
import { collectors, etcdMembers, makeFleet, type Servers, streamers } from "./fleet.ts";
import { databaseSignals, inflict } from "./inflict.ts";
import { checkContent, checkHistory, checkLeftovers, checkPositions } from "./invariants.ts";
import { type Ledger, makeLedger } from "./ledger.ts";
import { checkNewestState } from "./newest-state.ts";
import { Observer } from "./observer.ts";
import { drawScenario, type Fault, type FaultKind, faultKinds } from "./scenario.ts";

export interface SeedOptions {
  readonly servers: Servers;
  readonly seed: number;
  /** How long faults are inflicted. */
  readonly durationMs: number;
  /** Kind of the first fault; absent: drawn. */
  readonly first?: FaultKind | undefined;
}

/** What a run showed. */
export interface SeedResult {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Empty when all invariants held. */
  readonly violations: readonly string[];
  /** What happened when, for whoever has to find out why. */
  readonly history: readonly string[];
  /** Samples of I4 taken. */
  readonly observations: number;
  readonly seconds: number;
  /** The processes' logs; removed when all invariants held. */
  readonly logFolder: string;
}

const leaseSeconds = 3;
/** Leases must end and backoffs run out: whoever stands still for longer after the last fault has healed is stuck. */
const stallMs = 45_000;
const observeEveryMs = 500;
/** 0; or, where a fault met a process that was ending or had only just been started: 130 for a second SIGTERM, the signal
 *  itself for one that came before anything ran, and 1 for one that found no database at its start. */
const isCleanEnd = / (?:(?:0|130|SIGTERM)(?:, not up)?|1, not up)$/;
const samplesPerSecond = 1500;

/** One run: the pipeline carries a file through while it is disturbed; then it is compared with the file. */
export async function runSeed({ servers, seed, durationMs, first }: SeedOptions): Promise<SeedResult> {
  const startedAtMs = Date.now();
  const history: string[] = [];
  const tell = (what: string): void =>
    void history.push(`${((Date.now() - startedAtMs) / 1000).toFixed(1)} s: ${what}`);
  const folder = await mkdtemp(join(tmpdir(), `telemetry-faults-${seed}-`));
  // enough that streaming goes on until the last fault
  const ledger = makeLedger(seed, Math.ceil((durationMs / 1000) * ((samplesPerSecond * streamers) / 200)));
  const csvFile = join(folder, `source-${seed}.csv`);
  await writeFile(csvFile, ledger.csv);
  const run = await openRun({ servers, seed, csvFile });
  const observer = new Observer(run);
  const fleet = makeFleet({
    ...{ servers, csvFile, leaseSeconds, samplesPerSecond },
    topic: run.topic,
    databaseUrl: run.databaseUrl,
    logFolder: folder,
    onAcknowledged: (claim) => observer.noteAcknowledged(claim),
  });
  const workers = [...fleet.collectors, ...fleet.streamers];
  const kinds = servers.network === undefined ? faultKinds.filter((kind) => !kind.startsWith("partition")) : faultKinds;
  const targets = {
    ...{ kill: workers.length, terminate: workers.length, freeze: workers.length, leader: 1 },
    ...{ "partition-etcd": etcdMembers, "partition-collector": collectors },
    ...{ database: databaseSignals.length, "tables-disk": 1, "cluster-disk": 1 },
  };
  const faults = drawScenario({ seed, durationMs, leaseSeconds, kinds, targets, first });
  const violations: string[] = [];
  const violated = (what: string): void => void violations.push(what);
  let databaseIsFree = Promise.resolve();
  const atDatabase = (work: () => Promise<void>): Promise<void> => {
    const turn = databaseIsFree.then(work);
    databaseIsFree = turn.catch(() => undefined);
    return turn;
  };
  try {
    workers.forEach((worker) => worker.start());
    const observing = new AbortController();
    const observed = observe(observer, observing.signal);
    await Promise.all(
      faults.map(async (fault) => {
        await Bun.sleep(fault.atMs);
        const victims = { servers, workers, collectors: fleet.collectors, tell, violated, atDatabase };
        await inflict(fault, victims).catch((error: Error) => violated(`the harness: ${fault.kind}: ${error.message}`));
      }),
    );
    tell("all is healed");
    violations.push(...(await waitUntilDrained(run)));
    tell("drained, or given up");
    observing.abort();
    await observed;
    const ends = await Promise.all(workers.map(async (worker) => `${worker.name} ${await worker.stop()}`));
    tell(`stopped: ${ends.join(", ")}`);
    violations.push(...ends.filter((end) => !isCleanEnd.test(end)).map((end) => `stop: ${end}`));
    violations.push(...(await judge(run, ledger)));
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await observer.close().catch((error: unknown) => violations.push(String(error)));
    await run.close();
  }
  violations.push(...observer.violations);
  if (observer.samples === 0) violations.push("I4: was never observed");
  if (violations.length === 0) await rm(folder, { recursive: true, force: true });
  const seconds = (Date.now() - startedAtMs) / 1000;
  return { seed, faults, violations, history, observations: observer.samples, seconds, logFolder: folder };
}

interface Run {
  readonly etcd: EtcdClient;
  readonly database: PostgresClient;
  readonly databaseUrl: string;
  readonly topic: string;
  readonly queue: QueueKeys;
  readonly checkpoints: CheckpointKeys;
  close(): Promise<void>;
}

/** A queue, a database and a source of the run's own. */
async function openRun(options: { servers: Servers; seed: number; csvFile: string }): Promise<Run> {
  const { servers, seed, csvFile } = options;
  const name = `run_${seed}_${Date.now().toString(36)}`;
  const admin = new PostgresClient({ url: servers.database.url, maxConnections: 1, clock: systemClock });
  await admin.query(`create database ${name} tablespace tables`);
  const databaseUrl = servers.database.url.replace(/\/[^/]*$/, `/${name}`);
  const database = new PostgresClient({ url: databaseUrl, maxConnections: 2, clock: systemClock });
  const etcd = new EtcdClient({ endpoints: servers.etcd.endpoints });
  return {
    etcd,
    database,
    databaseUrl,
    topic: name,
    queue: new QueueKeys(name),
    checkpoints: new CheckpointKeys(await CsvSource.fileId(csvFile)),
    close: async () => {
      etcd.close();
      await database.close();
      await admin.query(`drop database ${name} with (force)`);
      await admin.close();
    },
  };
}

async function observe(observer: Observer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // while etcd or the database is away there is nothing to see
    await observer.sample().catch(() => undefined);
    await systemClock.sleep(observeEveryMs, signal);
  }
}

/** I5: everything is published, and the queue drains to zero: as long as it goes on, it is waited for. */
async function waitUntilDrained({ etcd, queue, checkpoints }: Run): Promise<string[]> {
  const look = {
    success: [
      get(checkpoints.plan),
      { request_range: prefixRange(checkpoints.ranges) },
      { request_range: { ...prefixRange(queue.messages), keys_only: true } },
    ],
  };
  let seen = "";
  let changedAtMs = Date.now();
  while (Date.now() - changedAtMs < stallMs) {
    const { responses } = await etcd.txn(look).catch(() => ({ responses: [] }));
    const [plans, ranges, messages] = responses.map(({ response_range }) => response_range);
    const plan = plans?.kvs[0];
    if (plan !== undefined && readPlan(plan.value).state === "done" && messages?.count === "0") return [];
    const now = `the plan is ${plan?.value.toString()}, ${messages?.count} messages are queued, ranges: ${ranges?.kvs.map(({ value }) => value.toString()).join()}`;
    if (messages !== undefined && now !== seen) [seen, changedAtMs] = [now, Date.now()];
    await Bun.sleep(200);
  }
  return [`I5: not drained, and nothing has changed for ${stallMs / 1000} s: ${seen.slice(0, 500)}`];
}

async function judge({ etcd, database, topic, queue, checkpoints }: Run, ledger: Ledger): Promise<string[]> {
  return [
    ...(await checkContent(ledger, database)),
    ...(await checkHistory(ledger, database)),
    ...(await checkPositions(ledger, database)),
    ...(await checkLeftovers(etcd, queue, checkpoints)),
    ...(await checkNewestState(ledger, etcd, topic)),
  ];
}
