import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Range } from "../../../src/domain/range.ts";
import { disturb, drawFaults } from "./disturb.ts";
import { makeFleet, type Servers, streamers } from "./fleet.ts";
import { checkEnds, checkResult, waitUntilDrained } from "./judge.ts";
import { makeLedger } from "./ledger.ts";
import { Observer } from "./observer.ts";
import type { Fault, FaultKind } from "./scenario.ts";
import { checkOwnKeys } from "./own-keys.ts";
import { readAgain } from "./read-again.ts";
import { openSeedRun } from "./seed-run.ts";

export interface SeedOptions {
  readonly servers: Servers;
  readonly seed: number;
  /** The time during which faults start. */
  readonly durationMs: number;
  /** The kind of the first fault; absent: drawn at random. */
  readonly first?: FaultKind | undefined;
}

/** The result of a run. */
export interface SeedResult {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Empty when all invariants held. */
  readonly violations: readonly string[];
  /** The events of the run with their times, to find the cause of a violation. */
  readonly history: readonly string[];
  /** The number of samples of I4. */
  readonly observations: number;
  /** The duration of the run. */
  readonly seconds: number;
  /** The processes' logs; removed when all invariants held. */
  readonly logFolder: string;
}

const leaseSeconds = 3;
const samplesPerSecond = 1500;

/** One run: the pipeline imports a file while faults are inflicted; then the result is compared with the file. */
export async function runSeed({ servers, seed, durationMs, first }: SeedOptions): Promise<SeedResult> {
  const startedAtMs = Date.now();
  const seconds = (): number => (Date.now() - startedAtMs) / 1000;
  const history: string[] = [];
  const record = (what: string): void => void history.push(`${seconds().toFixed(1)} s: ${what}`);
  const violations: string[] = [];
  const violated = (...found: readonly string[]): void => void violations.push(...found);

  const folder = await mkdtemp(join(tmpdir(), `telemetry-faults-${seed}-`));
  const csvFile = join(folder, `source-${seed}.csv`);
  // a source of 200 samples per second, long enough that the streamers still read it when the last fault starts
  const ledger = makeLedger(seed, Math.ceil((durationMs / 1000) * ((samplesPerSecond * streamers) / 200)));
  await writeFile(csvFile, ledger.csv);
  const run = await openSeedRun(servers, seed, csvFile);
  const observer = new Observer(run);
  const fleetOptions = {
    ...{ servers, csvFile, leaseSeconds, topic: run.topic, databaseUrl: run.databaseUrl, logFolder: folder },
    onAcknowledged: (claim: string) => observer.recordAcknowledged(claim),
  };
  const fleet = makeFleet({ ...fleetOptions, samplesPerSecond });
  const workers = [...fleet.collectors, ...fleet.streamers];
  const faults = drawFaults(servers, { seed, durationMs, leaseSeconds, first });
  try {
    workers.forEach((worker) => worker.start());
    const stopSampling = observer.startSampling();
    const lost = (ranges: readonly Range[]): void => observer.recordLost(ranges);
    const victims = { servers, workers, collectors: fleet.collectors, databaseUrl: run.databaseUrl };
    await disturb(faults, { ...victims, record, lost, violated });
    record("all faults are healed");
    violated(...(await waitUntilDrained(run)));
    record("drained, or stuck");
    await stopSampling();
    const ends = await Promise.all(workers.map(async (worker) => `${worker.name} ${await worker.stop()}`));
    record(`stopped: ${ends.join(", ")}`);
    violated(...checkEnds(ends));
    if (faults.some(({ kind }) => kind === "failover" || kind === "restore")) {
      violated(...(await checkOwnKeys(ledger, run.database)));
      violated(...(await readAgain(run, fleetOptions)));
      record("read the source again, because a failover has lost a part");
    }
    violated(...(await checkResult(run, ledger)));
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await observer.close().catch((error: unknown) => violated(String(error)));
    await run.close();
  }
  violated(...observer.violations);
  if (observer.samples === 0) violated("I4 was never observed");
  if (violations.length === 0) await rm(folder, { recursive: true, force: true });
  return { seed, faults, violations, history, observations: observer.samples, seconds: seconds(), logFolder: folder };
}
