import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Range } from "../../../src/domain/range.ts";
import { disturb, drawFaults, losesData } from "./disturb.ts";
import { inflictOnProcess } from "./inflict.ts";
import { makePipeline, type Servers, streamers } from "./processes.ts";
import { checkEnds, checkHealth, checkResult, waitUntilDrained } from "./judge.ts";
import { makeLedger } from "./ledger.ts";
import { Observer } from "./observer.ts";
import type { Fault, FaultKind } from "./scenario.ts";
import { checkOwnKeys } from "./own-keys.ts";
import { readAgain } from "./read-again.ts";
import { openSecondPipeline } from "./second-pipeline.ts";
import { openSeedRun } from "./seed-run.ts";
import { upgradeAll } from "./upgrade-all.ts";
import { drawLossesOfGateways, makeSubscribedGateways } from "./subscribers/subscribed-gateways.ts";
import { expectedFaults } from "./told/expected-faults.ts";
import { drawLosses } from "./told/lose-leaders.ts";
import { openWatchedRun } from "./told/watched-run.ts";

export interface SeedOptions {
  readonly servers: Servers;
  readonly seed: number;
  /** The time during which faults start. */
  readonly durationMs: number;
  /** The kind of the first fault; absent: drawn at random. */
  readonly first?: FaultKind | undefined;
  /** The kind of all faults; absent: drawn at random. */
  readonly only?: FaultKind | undefined;
  /** True: no fault lasts longer than a few seconds. */
  readonly isBrief?: boolean;
  /** True: history is settled at once, so that most records are late for a settled hour. */
  readonly settles?: boolean;
  /** False: there are no coordinators, no gateways and no GPUs that have faults, so that I11 and I12 are not judged. */
  readonly watches?: boolean;
  /** False: there are no gateways, so that I12 is not judged. */
  readonly subscribes?: boolean;
  /** The folder of an earlier version. The processes that read and store the file begin with it, and are replaced while the run lasts; there are no
   *  others, and the database loses nothing. Absent: all processes are of this checkout. */
  readonly olderCheckout?: string | undefined;
}

/** The result of a run. */
export interface SeedResult {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Empty when all invariants held. */
  readonly violations: readonly string[];
  /** The events of the run with their times, to find the cause of a violation. */
  readonly history: readonly string[];
  /** The number of times that I4 was observed. */
  readonly observations: number;
  /** The number of times that I8 was observed while history was settled. */
  readonly settledObservations: number;
  /** The number of faults that the watched GPUs had; undefined if I11 and I12 were not judged. */
  readonly faultsToTell: number | undefined;
  /** The number of connections of subscribers that have ended. */
  readonly breaks: number;
  /** The duration of the run. */
  readonly seconds: number;
  /** The processes' logs; removed when all invariants held. */
  readonly logFolder: string;
}

const leaseSeconds = 3;
const samplesPerSecond = 1500;
/** A streamer comes back to an hour after about three seconds. */
const lateHours = 24;

/** True for what an upgrade does not bear: a database of before its migration is not for the processes that have migrated it, and in an etcd
 *  that has come back empty, streamers of both versions may plan the file at the same time, each under the id of its version. */
const isNotForTwoVersions = (kind: FaultKind): boolean => losesData(kind) || kind === "empty-etcd";

/** One run: the pipeline imports a file while faults are inflicted; then the result is compared with the file. */
export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { servers, seed, durationMs, settles = false, subscribes = true, olderCheckout } = options;
  const watches = (options.watches ?? true) && olderCheckout === undefined;
  const startedAtMs = Date.now();
  const seconds = (): number => (Date.now() - startedAtMs) / 1000;
  const history: string[] = [];
  const record = (what: string): void => void history.push(`${seconds().toFixed(1)} s: ${what}`);
  const violations: string[] = [];
  const reportViolations = (...found: readonly string[]): void => void violations.push(...found);

  const folder = await mkdtemp(join(tmpdir(), `telemetry-faults-${seed}-`));
  const csvFile = join(folder, `source-${seed}.csv`);
  // a second of the source has 200 samples; the source is long enough that the streamers are still reading it when the last
  // fault starts
  const ledger = makeLedger(
    seed,
    Math.ceil((durationMs / 1000) * ((samplesPerSecond * streamers) / 200)),
    settles ? lateHours : 1,
  );
  await writeFile(csvFile, ledger.csv);
  const run = await openSeedRun(servers, { seed, csvFile });
  const observer = new Observer(run);
  const pipelineOptions = {
    ...{ servers, csvFile, leaseSeconds, topic: run.topic, databaseUrl: run.databaseUrl, logFolder: folder, settles },
    onAcknowledged: (claim: string) => observer.recordAcknowledged(claim),
  };
  const pipeline = makePipeline({ ...pipelineOptions, samplesPerSecond, olderCheckout });
  const second = await openSecondPipeline({ ...pipelineOptions, samplesPerSecond, seed });
  const faults = drawFaults(servers, {
    ...{ leaseSeconds, ...options },
    ...(olderCheckout === undefined ? {} : { without: isNotForTwoVersions }),
  });
  const hasFailover = faults.some(({ kind }) => losesData(kind));
  // a database that loses what it had told tells it again, and an etcd that loses its messages loses records of these GPUs
  const isWatched = watches && !hasFailover && faults.every(({ kind }) => kind !== "empty-etcd");
  const watched = !isWatched
    ? undefined
    : await openWatchedRun(run, { ...pipelineOptions, samplesPerSecond, seed, durationMs });
  const subscribed =
    watched && subscribes ? await makeSubscribedGateways({ ...pipelineOptions, samplesPerSecond, seed }) : undefined;
  const losses = watched === undefined ? [] : drawLosses({ seed, durationMs, leaseSeconds });
  const lostGateways = subscribed === undefined ? [] : drawLossesOfGateways({ seed, durationMs, leaseSeconds });
  const gateways = subscribed?.gateways ?? [];
  const disturbed = [...pipeline.collectors, ...pipeline.streamers, ...(watched?.coordinators ?? [])];
  const workers = [...disturbed, ...gateways];
  try {
    subscribed?.start();
    await watched?.start();
    disturbed.forEach((worker) => worker.start());
    const stopObserving = observer.startObserving();
    const upgraded = olderCheckout === undefined ? [] : upgradeAll(disturbed, { seed, durationMs, record });
    const reportLost = (ranges: readonly Range[]): void => observer.recordLost(ranges);
    const reportHistoryRemoved = (): void => observer.recordHistoryRemoved();
    const loadedUntilMs = Date.now() + durationMs;
    const startSecond = (): void => {
      // both are on one server, and the judge knows only what the first one loses
      if (hasFailover) record("no second pipeline: a failover would lose a part of it, too");
      else second.start();
    };
    const victims = {
      ...{ servers, workers: disturbed, collectors: pipeline.collectors, databaseUrl: run.databaseUrl },
      ...{ loadedUntilMs, startSecond },
    };
    const allVictims = { ...victims, record, reportLost, reportViolations, reportHistoryRemoved };
    const special = (fault: Fault): Promise<void> | undefined => {
      if (lostGateways.includes(fault)) return inflictOnProcess(fault, { workers: gateways, record });
      return watched && losses.includes(fault) ? watched.loseLeader(fault, allVictims) : undefined;
    };
    await disturb([...faults, ...losses, ...lostGateways], allVictims, {
      special,
      drain: async () => {
        record("all faults are healed but those that last for the whole run");
        await upgraded;
        const waits = await Promise.all([waitUntilDrained(run), watched?.untilSent() ?? []]);
        reportViolations(...waits.flat());
        await subscribed?.untilSent(watched?.readings ?? []);
        record("drained and told, or stuck");
        reportViolations(...(await checkHealth(workers)));
        if (settles) await observer.untilSettled();
      },
    });
    await stopObserving();
    const ends = await Promise.all(workers.map(async (worker) => `${worker.name} ${await worker.stop()}`));
    record(`stopped: ${ends.join(", ")}`);
    reportViolations(...checkEnds(ends), ...workers.flatMap(({ endedByItself }) => endedByItself));
    if (hasFailover) {
      reportViolations(...(await checkOwnKeys(ledger, run.database)));
      reportViolations(...(await readAgain(run, pipelineOptions)));
      record("read the source again, because a failover or a restore loses what was stored last");
    }
    reportViolations(
      ...(await checkResult(run, ledger, watched)),
      ...(subscribed?.check(watched?.readings ?? []) ?? []),
    );
    reportViolations(...(await second.judge(ledger)));
    record("the second pipeline is judged, if it was started");
  } finally {
    subscribed?.close();
    await Promise.all(workers.map((worker) => worker.stop()));
    await observer.close().catch((error: unknown) => reportViolations(String(error)));
    await second.close();
    await watched?.close();
    await run.close();
  }
  reportViolations(...observer.violations);
  if (observer.observations === 0) reportViolations("I4 was never observed");
  if (settles && observer.settledObservations === 0) reportViolations("I8 was never observed with settled history");
  if (violations.length === 0) await rm(folder, { recursive: true, force: true });
  return {
    seed,
    faults: [...faults, ...losses, ...lostGateways],
    violations,
    history,
    observations: observer.observations,
    settledObservations: observer.settledObservations,
    faultsToTell: watched && expectedFaults(watched.readings).length,
    breaks: subscribed?.breaks() ?? 0,
    seconds: seconds(),
    logFolder: folder,
  };
}
