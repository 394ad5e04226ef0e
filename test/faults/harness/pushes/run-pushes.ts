import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../../../dev/servers/free-ports.ts";
import { randomFrom } from "../../../support/random.ts";
import { checkNoKeys, queuePlaces } from "../invariants.ts";
import { checkEnds, waitUntilStored } from "../judge.ts";
import { pipelineEnvironment, type Servers, stallMs } from "../processes.ts";
import type { SeedResult } from "../run-seed.ts";
import { openPlainRun, type PlainRun } from "../seed-run.ts";
import { Worker } from "../workers.ts";
import { type PushedBatch, PushedBatches, type PushedContent } from "./pushed-batches.ts";

/** What a run of pushes is made of. */
export interface PushesOptions {
  readonly servers: Servers;
  readonly seed: number;
  readonly records: number;
  /** The most records of a push. */
  readonly batchMaxRows: number;
}

export interface PushesResult extends Pick<SeedResult, "seed" | "violations" | "history" | "seconds" | "logFolder"> {
  readonly figures: PushFigures;
}

interface PushFigures {
  readonly pushes: number;
  /** How often one was sent again because no answer had come. */
  readonly sentAgain: number;
  readonly kills: number;
}

const clients = 3;
const gateways = 2;
const collectors = 2;
const leaseSeconds = 3;
const answerMaxMs = 15_000;
/** The share of pushes that are sent again though they were answered. */
const repeatedShare = 0.2;
/** Longer than a supervisor waits before it starts a process again. */
const restartedAfterMs = 1000;
const killEveryMs = { least: 400, more: 1600 };

/** Clients push records to gateways, which are killed, as the collectors are; each sends a push again until it is answered. Then the
 *  store is compared with what was pushed. */
export async function runPushes(options: PushesOptions): Promise<PushesResult> {
  const { servers, seed } = options;
  const logFolder = await mkdtemp(join(tmpdir(), `telemetry-pushes-${seed}-`));
  const run = await openPlainRun(servers, seed);
  const pushes = new Pushes({ ...options, run, logFolder, ports: await freePorts(gateways) });
  const startedAtMs = Date.now();
  try {
    await pushes.run();
  } catch (error) {
    pushes.violations.push(`the harness: ${(error as Error).message}`);
  } finally {
    await pushes.close();
    await run.close();
  }
  const { violations, history, figures } = pushes;
  if (violations.length === 0) await rm(logFolder, { recursive: true, force: true });
  return { seed, violations, history, seconds: (Date.now() - startedAtMs) / 1000, logFolder, figures };
}

interface PushesParts extends PushesOptions {
  readonly run: PlainRun;
  readonly logFolder: string;
  readonly ports: readonly number[];
}

class Pushes {
  readonly violations: string[] = [];
  readonly history: string[] = [];
  readonly figures = { pushes: 0, sentAgain: 0, kills: 0 };
  /** Pushes that were answered. */
  private taken = 0;
  private readonly random: () => number;
  private readonly batches: PushedBatches;
  private readonly workers: readonly Worker[];

  constructor(private readonly parts: PushesParts) {
    const { seed, records, run, servers, ports, logFolder } = parts;
    this.random = randomFrom(seed + 1);
    this.batches = new PushedBatches(seed, records);
    const shared = pipelineEnvironment({ servers, topic: run.topic, leaseSeconds });
    const worker = (role: string, index: number, port: number): Worker =>
      new Worker({
        name: `${role}-${index}`,
        env: { ...shared, ROLE: role, DATABASE_URL: run.databaseUrl, PORT: String(port), BATCH_SIZE: "700" },
        logFile: join(logFolder, `${role}-${index}.log`),
        onLine: () => undefined,
      });
    this.workers = [
      ...ports.map((port, index) => worker("gateway", index, port)),
      ...Array.from({ length: collectors }, (_, index) => worker("collector", index, 0)),
    ];
  }

  async run(): Promise<void> {
    for (const worker of this.workers) worker.start();
    const done = new AbortController();
    const killing = this.kill(done.signal);
    await Promise.all(Array.from({ length: clients }, () => this.pushAll())).finally(() => done.abort());
    await killing;
    // the process that was killed last is started again, so that it can end as it should
    await Bun.sleep(restartedAfterMs);
    this.violations.push(...(await waitUntilStored(this.parts.run)));
    const ends = await Promise.all(this.workers.map(async (worker) => `${worker.name} ${await worker.stop()}`));
    const { run } = this.parts;
    this.violations.push(...checkEnds(ends), ...(await checkPushed(this.batches.content, run)));
    this.violations.push(...(await checkNoKeys(run.etcd, queuePlaces(run.queue))));
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop("SIGKILL")));
  }

  private async pushAll(): Promise<void> {
    for (let batch = this.next(); batch !== undefined; batch = this.next()) {
      this.figures.pushes += 1;
      do await this.pushUntilTaken(batch);
      while (this.random() < repeatedShare);
    }
  }

  private next(): PushedBatch | undefined {
    return this.batches.next(this.parts.batchMaxRows);
  }

  /** Sends a push to one gateway after the other until it is taken. */
  private async pushUntilTaken(batch: PushedBatch): Promise<void> {
    const sinceMs = Date.now();
    for (let attempt = 0; Date.now() - sinceMs < stallMs; attempt += 1) {
      if (attempt > 0) this.figures.sentAgain += 1;
      const answer = await this.send(batch);
      if (answer?.status === 202) {
        this.taken += 1;
        return;
      }
      if (answer !== undefined && ![429, 503].includes(answer.status))
        throw new Error(`a push is refused: ${answer.text}`);
      await Bun.sleep(100);
    }
    throw new Error(`a push is not taken within ${stallMs / 1000} s`);
  }

  /** @returns undefined if no answer comes */
  private async send({
    body,
    headers,
  }: PushedBatch): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const port = this.parts.ports[Math.floor(this.random() * gateways)];
    try {
      const signal = AbortSignal.timeout(answerMaxMs);
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/telemetry`, {
        method: "POST",
        body,
        headers,
        signal,
      });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return undefined;
    }
  }

  /** Kills one process after another; between two kills, a push is taken. */
  private async kill(done: AbortSignal): Promise<void> {
    for (let taken = -1; !done.aborted; taken = this.taken) {
      while (this.taken === taken && !done.aborted) await Bun.sleep(20);
      await Bun.sleep(killEveryMs.least + this.random() * killEveryMs.more);
      if (done.aborted) return;
      const worker = this.workers[Math.floor(this.random() * this.workers.length)];
      this.figures.kills += 1;
      this.history.push(`kill ${worker?.name} after ${this.figures.pushes} pushes`);
      worker?.signal("SIGKILL");
    }
  }
}

/** Every record is stored with its value, no other is, every spoiled one is in quarantine once, and no message is stored twice. */
async function checkPushed({ records, rows, spoiled }: PushedContent, { database }: PlainRun): Promise<string[]> {
  const stored = await database.query<{ key: string; value: number }>(
    `select g.uuid || ' ' || (extract(epoch from t.time) * 1000)::bigint as key, gpu_utilization as value
     from telemetry_all t join gpus g using (gpu_key)`,
  );
  const [counts] = await database.query<{ rows: number; quarantined: number }>(
    `select (select sum(rows)::float8 from ingested_messages) as rows, (select count(*)::float8 from quarantine) as quarantined`,
  );
  const wrong = stored
    .filter(({ key, value }) => records.get(key) !== value)
    .map(({ key }) => `${key} has another value`);
  if (stored.length !== records.size) wrong.push(`${stored.length} records are stored, ${records.size} were pushed`);
  if (counts?.rows !== rows) wrong.push(`the stored messages count ${counts?.rows} rows, ${rows} were pushed`);
  if (counts?.quarantined !== spoiled)
    wrong.push(`${counts?.quarantined} rows are in quarantine, ${spoiled} were spoiled`);
  return wrong.slice(0, 5);
}
