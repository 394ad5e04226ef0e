import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSlowProxy } from "../../../../dev/slow-proxy.ts";
import { checkEnds, checkResult, waitUntilDrained } from "../judge.ts";
import { makeLedger } from "../ledger.ts";
import { Observer } from "../observer.ts";
import type { Servers } from "../processes.ts";
import { openSeedRun } from "../seed-run.ts";
import { Course, type Measured } from "./course.ts";
import { ElasticPipeline } from "./elastic-pipeline.ts";

export interface ElasticOptions {
  readonly servers: Servers;
  readonly seed: number;
  /** The size of the file. */
  readonly samples: number;
  /** The most that a streamer publishes. */
  readonly samplesPerSecond: number;
  /** Rows in a message. */
  readonly batchSize: number;
}

/** The result of a run. */
export interface ElasticResult extends Omit<Measured, "ends"> {
  /** Empty when all invariants held. */
  readonly violations: readonly string[];
  /** The longest time between SIGTERM and the end of a process. */
  readonly longestStopMs: number;
  readonly history: readonly string[];
  /** The processes' logs; removed when all invariants held. */
  readonly logFolder: string;
}

/** Short, so that what a killed process had claimed is free soon. */
const leaseSeconds = 3;
const samplesPerLedgerSecond = 200;

/** Reads a file while collectors grow from 2 to 5 and shrink to 1, and streamers grow from 1 to 3 and shrink to 1. One of each is
 *  killed and started again meanwhile; those that leave are ended by SIGTERM and kill -9 in turn. Then the result is compared
 *  with the file. */
export async function runElastic(options: ElasticOptions): Promise<ElasticResult> {
  const { servers, seed, samples, samplesPerSecond, batchSize } = options;
  const folder = await mkdtemp(join(tmpdir(), `telemetry-elastic-${seed}-`));
  const csvFile = join(folder, "source.csv");
  const ledger = makeLedger(seed, Math.ceil(samples / samplesPerLedgerSecond));
  await writeFile(csvFile, ledger.csv);
  const run = await openSeedRun(servers, { seed, csvFile });
  const observer = new Observer(run);
  const url = new URL(run.databaseUrl);
  const proxy = await openSlowProxy({ host: url.hostname, port: Number(url.port), delayMs: 0 });
  url.port = String(proxy.port);
  const pipeline = new ElasticPipeline({
    ...{ servers, csvFile, leaseSeconds, samplesPerSecond, batchSize, topic: run.topic, databaseUrl: url.href },
    ...{ logFolder: folder, onAcknowledged: (claim) => observer.recordAcknowledged(claim) },
  });
  const course = new Course({ run, ledger, pipeline, proxy });
  const violations: string[] = [];
  try {
    const stopObserving = observer.startObserving();
    const { ends: shrunk, ...measured } = await course.growAndShrink();
    violations.push(...(await waitUntilDrained(run)));
    course.record("drained, or stuck");
    await stopObserving();
    const ends = [...shrunk, ...(await pipeline.stop())];
    violations.push(...checkEnds(ends.map(({ end }) => end)), ...(await checkResult(run, ledger)));
    await observer.close();
    violations.push(...observer.violations);
    const longestStopMs = Math.max(...ends.map(({ tookMs }) => tookMs));
    return { ...measured, violations, longestStopMs, history: course.history, logFolder: folder };
  } finally {
    await pipeline.stop();
    await observer.close();
    await proxy.close();
    await run.close();
    if (violations.length === 0) await rm(folder, { recursive: true, force: true });
  }
}
