import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomFrom } from "../../../support/random.ts";
import { disturb, drawFaults, losesData } from "../disturb.ts";
import { checkEnds, checkHealth, waitUntilStored } from "../judge.ts";
import { Observer } from "../observer.ts";
import { makeCollectors, makeWorker, streamingEnvironment } from "../processes.ts";
import type { SeedOptions, SeedResult } from "../run-seed.ts";
import { openPlainRun } from "../seed-run.ts";
import type { Worker } from "../workers.ts";
import { ChangingFile, endingChanges } from "./changing-file.ts";
import { DrawnRows } from "./drawn-rows.ts";
import { FilesCourse } from "./files-course.ts";
import { type FilesFigures, judgeFiles } from "./judge-files.ts";
import { untilPlayedOn } from "./played-on.ts";
import { writeLoopedFile } from "./looped-file.ts";

export interface FilesResult extends Omit<SeedResult, "faultsToTell" | "breaks"> {
  /** Undefined if the run was not judged. */
  readonly figures: FilesFigures | undefined;
}

const leaseSeconds = 3;
const samplesPerSecond = 1500;
/** The changing file is read so slowly that its third range is opened about two seconds after the first two. */
const samplesPerSecondOfChanging = 750;
/** The changing file has so many seconds at first, of 200 rows each. */
const seconds = 24;
/** A looped file is read by two streamers, as the file that changes is. */
const streamersOfFile = 2;
/** Late records are of so many hours. */
const lateHours = 24;
/** One run: streamers read a file that changes, files that arrive, and a file that is played again and again, while faults are inflicted.
 *  Then the store is compared with what the files contained. The database and etcd lose nothing meanwhile. */
export async function runFiles(options: SeedOptions): Promise<FilesResult> {
  const { servers, seed, durationMs, settles = false } = options;
  const startedAtMs = Date.now();
  const elapsed = (): number => (Date.now() - startedAtMs) / 1000;
  const [history, violations]: [string[], string[]] = [[], []];
  const record = (what: string): void => void history.push(`${elapsed().toFixed(1)} s: ${what}`);
  const reportViolations = (...found: readonly string[]): void => void violations.push(...found);

  const logFolder = await mkdtemp(join(tmpdir(), `telemetry-files-${seed}-`));
  const folder = join(logFolder, "files");
  await mkdir(folder);
  const run = await openPlainRun(servers, seed);
  const { topic, databaseUrl } = run;
  const observer = new Observer(run);
  const made = {
    ...{ servers, topic, databaseUrl, leaseSeconds, logFolder, settles },
    onAcknowledged: (claim: string) => observer.recordAcknowledged(claim),
  };
  // what is drawn for one purpose does not depend on when another one draws
  const random = (purpose: number): (() => number) => randomFrom(seed * 8 + purpose);
  const rows = (purpose: number): DrawnRows =>
    new DrawnRows({ seed, random: random(purpose), hours: settles ? lateHours : 1 });
  const changing = await ChangingFile.write({
    ...{ path: join(folder, "fleet.csv"), rows: rows(1), random: random(2), seconds },
    firstChange: endingChanges[seed % endingChanges.length] as (typeof endingChanges)[number],
  });
  const looped = await writeLoopedFile(join(folder, "looped.csv"), rows(3), random(4));
  const streamer = (name: string, settings: Record<string, string>) =>
    makeWorker(made, { name, env: { ROLE: "streamer", ...settings } });
  const csvFile = join(folder, "fleet.csv");
  const ofChanging = streamingEnvironment({ csvFile, samplesPerSecond: samplesPerSecondOfChanging });
  const ofLoop = { CSV_FILE: looped.path, LOOP_MODE: "true", TIMESTAMPS: looped.timestamps, BATCH_SIZE: "20" };
  const pair = (name: string, settings: Record<string, string>) =>
    Array.from({ length: streamersOfFile }, (_, index) => streamer(`${name}-${index}`, settings));
  const [collectors, streamers, loopers] = [makeCollectors(made), pair("streamer", ofChanging), pair("looper", ofLoop)];
  const frozen = loopers[Math.floor(random(8)() * streamersOfFile)] as Worker;
  const reader = streamer("reader", streamingEnvironment({ csvFile, samplesPerSecond }));
  const workers = [...collectors, ...streamers, ...loopers, reader];
  const course = new FilesCourse({
    ...{ folder, etcd: run.etcd, topic, rows: rows(5), arrivals: random(6), changes: random(7), durationMs },
    ...{ changing, streamers, reader, record, reportViolations },
  });
  const faults = drawFaults(servers, {
    ...{ leaseSeconds, ...options },
    without: (kind) => losesData(kind) || kind === "empty-etcd" || kind === "second-pipeline",
  });
  let figures: FilesFigures | undefined;
  try {
    [...collectors, ...streamers, ...loopers].forEach((worker) => worker.start());
    const stopObserving = observer.startObserving();
    const readAll = course.run();
    readAll.catch(() => undefined); // its error is thrown where it is awaited
    const victims = {
      ...{
        servers,
        workers,
        collectors,
        databaseUrl,
        loadedUntilMs: Date.now() + durationMs,
        record,
        reportViolations,
      },
      ...{ startSecond: notDrawn, reportLost: notDrawn, reportHistoryRemoved: () => observer.recordHistoryRemoved() },
    };
    await disturb(faults, victims, {
      drain: async () => {
        record("all faults are healed but those that last for the whole run");
        await readAll;
        await course.finish();
        reportViolations(...(await untilPlayedOn(looped, { run, frozen, record })));
        reportViolations(...(await checkHealth(workers)));
        await Promise.all(loopers.map((looper) => looper.stop()));
        reportViolations(...(await waitUntilStored(run)));
        if (settles) await observer.untilSettled();
      },
    });
    await stopObserving();
    const ends = await Promise.all(workers.map(async (worker) => `${worker.name} ${await worker.stop()}`));
    record(`stopped: ${ends.join(", ")}`);
    reportViolations(...checkEnds(ends), ...workers.flatMap(({ endedByItself }) => endedByItself));
    const versions = [...changing.versions, ...course.arrived, ...changing.rotated.map(({ version }) => version)];
    const finished = [
      changing.current,
      ...course.completed,
      ...course.arrived,
      ...changing.rotated.map(({ version }) => version),
    ];
    const judged = await judgeFiles({ versions, finished, looped }, run);
    reportViolations(...judged.violations);
    ({ figures } = judged);
  } catch (error) {
    reportViolations(`the harness: ${(error as Error).stack}`);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop("SIGKILL")));
    await observer.close().catch((error: unknown) => reportViolations(String(error)));
    await run.close();
  }
  reportViolations(...observer.violations);
  const { observations, settledObservations } = observer;
  if (observations === 0) reportViolations("I4 was never observed");
  if (settles && settledObservations === 0) reportViolations("I8 was never observed with settled history");
  if (violations.length === 0) await rm(logFolder, { recursive: true, force: true });
  const result = { seed, faults, violations, history, observations, settledObservations, seconds: elapsed() };
  return { ...result, logFolder, figures };
}

function notDrawn(): never {
  throw new Error("this fault is not for files");
}
