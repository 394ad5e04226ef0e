import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { disturb } from "../disturb.ts";
import { directions } from "../inflict.ts";
import { checkEnds, waitUntilStored } from "../judge.ts";
import { etcdMembers, type Servers } from "../processes.ts";
import type { SeedOptions, SeedResult } from "../run-seed.ts";
import { drawScenario, type Fault, type FaultKind, faultKinds, needsNetwork } from "../scenario.ts";
import { openPlainRun, type PlainRun } from "../seed-run.ts";
import type { Worker } from "../workers.ts";
import { ScrapeCourse } from "./course.ts";
import { judgeScrapes, type ScrapeFigures } from "./judge-scrapes.ts";
import { NumberedExporters } from "./numbered-exporters.ts";
import { makeScrapingPipeline, type ScrapingPipeline } from "./scraping-pipeline.ts";
import { TargetObserver } from "./target-observer.ts";

export interface ScrapesResult extends Omit<
  SeedResult,
  "observations" | "settledObservations" | "faultsToTell" | "breaks"
> {
  readonly figures: ScrapeFigures | undefined;
  /** The time from kill -9 of one of two streamers until the other had all targets. */
  readonly takenOverAfterMs: number;
}

export const scrapingStreamers = 3;
const scrapingCollectors = 2;
const exporterCount = 100;
const leaseSeconds = 3;
const intervalMs = 3000;
const answerFaults = ["500:0.02", "half:0.01", "slow:300ms:0.05", "slow:4s:0.005"];
/** One of this many exporters vanishes in a fault of exporters. */
const vanishing = 4;

function drawFaults({ network, etcd }: Servers, options: Omit<SeedOptions, "servers">): Fault[] {
  const workers = scrapingStreamers + scrapingCollectors;
  const targets = {
    ...{ kill: workers, terminate: workers, freeze: workers, leader: 1, etcd: 1, database: 3 },
    ...{
      "freeze-etcd": etcdMembers,
      "defragment-etcd": etcdMembers,
      "replace-etcd": etcdMembers,
      "freeze-database": 1,
    },
    ...{ "partition-etcd": etcdMembers, "partition-collector": scrapingCollectors },
    "one-way-etcd": etcdMembers * directions["one-way-etcd"].length,
    "one-way-collector": scrapingCollectors * directions["one-way-collector"].length,
    ...{ "partition-streamer": scrapingStreamers, exporters: vanishing },
  } satisfies Partial<Record<FaultKind, number>>;
  const isPossible = (kind: FaultKind): boolean =>
    (network !== undefined || !needsNetwork(kind)) && (etcd.members.length > 1 || kind !== "replace-etcd");
  const kinds = faultKinds.filter((kind) => kind in targets && isPossible(kind));
  return drawScenario({ ...options, leaseSeconds, kinds, targets });
}

/** One run: 1, 3 and 1 streamers scrape exporters, while faults are inflicted. Then the store is compared with the schedules, and
 *  with what the exporters answered. */
export async function runScrapes({ servers, ...options }: SeedOptions): Promise<ScrapesResult> {
  const logFolder = await mkdtemp(join(tmpdir(), `telemetry-scrapes-${options.seed}-`));
  const scrapes = await Scrapes.open(servers, options.seed, logFolder);
  const faults = drawFaults(servers, options);
  let result: Pick<ScrapesResult, "figures" | "takenOverAfterMs"> = { figures: undefined, takenOverAfterMs: NaN };
  try {
    result = await scrapes.run(faults);
  } catch (error) {
    scrapes.violations.push(`the harness: ${(error as Error).message}`);
  } finally {
    await scrapes.close();
  }
  const { violations, history } = scrapes;
  if (violations.length === 0) await rm(logFolder, { recursive: true, force: true });
  return { seed: options.seed, faults, violations, history, seconds: scrapes.seconds, logFolder, ...result };
}

interface ScrapesParts {
  readonly servers: Servers;
  readonly seed: number;
  readonly run: PlainRun;
  readonly exporters: NumberedExporters;
  readonly observer: TargetObserver;
  readonly pipeline: ScrapingPipeline;
}

/** A run: its processes, its exporters and its database. */
class Scrapes {
  readonly history: string[] = [];
  readonly violations: string[] = [];
  private readonly startedAtMs = Date.now();
  private readonly course: ScrapeCourse;

  private constructor(private readonly parts: ScrapesParts) {
    const { run, pipeline } = parts;
    this.course = new ScrapeCourse({
      ...{ run, streamers: pipeline.streamers, targetCount: exporterCount, leaseSeconds },
      record: (event) => this.record(event),
      reportViolations: (...found) => void this.violations.push(...found),
    });
  }

  static async open(servers: Servers, seed: number, logFolder: string): Promise<Scrapes> {
    const run = await openPlainRun(servers, seed);
    const address = servers.network?.address ?? "127.0.0.1";
    const exporters = await NumberedExporters.start({ count: exporterCount, seed, address, faults: answerFaults });
    const pipeline = makeScrapingPipeline({
      ...{ servers, run, leaseSeconds, intervalMs, logFolder, targets: exporters.targets },
      ...{ streamers: scrapingStreamers, collectors: scrapingCollectors },
    });
    return new Scrapes({ servers, seed, run, exporters, pipeline, observer: new TargetObserver(run) });
  }

  get seconds(): number {
    return (Date.now() - this.startedAtMs) / 1000;
  }

  async run(faults: readonly Fault[]): Promise<Pick<ScrapesResult, "figures" | "takenOverAfterMs">> {
    const { course, parts } = this;
    const { run, seed, exporters, observer, pipeline } = parts;
    for (const collector of pipeline.collectors) collector.start();
    await course.grow(1);
    const readyAtMs = Date.now();
    await course.grow(scrapingStreamers);
    await this.disturb(faults);
    this.record("all faults are healed");
    await course.calm();
    const { end } = await course.shrink("SIGTERM");
    const { sharedAfterMs: takenOverAfterMs } = await course.shrink("SIGKILL");
    const reportedMs = await course.untilReported();
    const last = pipeline.streamers[0] as Worker;
    const ends = [end, `${last.name} ${await last.stop()}`];
    this.violations.push(...(await waitUntilStored(parts.run)));
    ends.push(...(await Promise.all(pipeline.collectors.map(async (each) => `${each.name} ${await each.stop()}`))));
    this.record(`stopped: ${ends.join(", ")}`);
    await observer.close();
    const scraped = { run, seed, intervalMs, exporters, observer, readyAtMs, reportedMs };
    const { violations, figures } = await judgeScrapes(scraped);
    this.violations.push(...checkEnds(ends), ...violations, ...observer.violations);
    return { figures, takenOverAfterMs };
  }

  async close(): Promise<void> {
    const { pipeline, observer, exporters, run } = this.parts;
    await Promise.all([...pipeline.streamers, ...pipeline.collectors].map((worker) => worker.stop("SIGKILL")));
    await observer.close();
    await Promise.all([exporters.stop(), run.close()]);
  }

  private record(event: string): void {
    this.history.push(`${this.seconds.toFixed(1)} s: ${event}`);
  }

  private async disturb(faults: readonly Fault[]): Promise<void> {
    const { servers, run, pipeline } = this.parts;
    const notDrawn = (): never => {
      throw new Error("this fault is not for scrapes");
    };
    const victims = {
      ...{ servers, workers: [...pipeline.streamers, ...pipeline.collectors], collectors: pipeline.collectors },
      ...{ databaseUrl: run.databaseUrl, loadedUntilMs: Infinity, startSecond: notDrawn, reportLost: notDrawn },
      reportHistoryRemoved: () => undefined,
      record: (event: string) => this.record(event),
      reportViolations: (...found: readonly string[]) => void this.violations.push(...found),
    };
    await disturb(faults, victims, {
      special: (fault) => (fault.kind === "exporters" ? this.loseExporters(fault) : undefined),
    });
  }

  /** A part of the exporters vanish, and start again. */
  private async loseExporters({ target, lastsMs }: Fault): Promise<void> {
    const { exporters } = this.parts;
    const struck = exporters.ports.map((_, index) => index).filter((index) => index % vanishing === target);
    this.record(`stop ${struck.length} exporters for ${lastsMs} ms`);
    await Promise.all(struck.map((index) => exporters.vanish(index)));
    await Bun.sleep(lastsMs);
    for (const index of struck) exporters.appear(index);
    this.record(`start ${struck.length} exporters`);
  }
}
