import { until } from "../../../../dev/until.ts";
import type { SlowProxy } from "../../../../dev/slow-proxy.ts";
import type { Ledger } from "../ledger.ts";
import type { SeedRun } from "../seed-run.ts";
import type { Ended, ElasticPipeline, ElasticRole, Share } from "./elastic-pipeline.ts";

const most = { streamer: 3, collector: 5 };
/** Each message takes about ten round trips. With these delays, a collector with one worker stores about one message a second while
 *  processes are added, so that the file lasts, and about five while their work is measured: the number of collectors decides,
 *  not the machine's processors. */
const delays = { growingMs: 100, measuredMs: 20 };

/** What was measured while there were most processes. */
export interface Measured {
  /** What each process did. */
  readonly shares: Readonly<Record<ElasticRole, readonly Share[]>>;
  /** For each process that was added: the time between its start and its first work. */
  readonly untilFirstWorkMs: Readonly<Record<ElasticRole, readonly number[]>>;
  /** How the processes ended that received SIGTERM. */
  readonly ends: readonly Ended[];
}

/** The course of a run, by the part of the file that is stored. */
export class Course {
  readonly history: string[] = [];
  private readonly startedAtMs = performance.now();

  constructor(
    private readonly parts: {
      readonly run: SeedRun;
      readonly ledger: Ledger;
      readonly pipeline: ElasticPipeline;
      /** Between the collectors and the database. */
      readonly proxy: SlowProxy;
    },
  ) {}

  record(event: string): void {
    this.history.push(`${((performance.now() - this.startedAtMs) / 1000).toFixed(1)} s: ${event}`);
  }

  async growAndShrink(): Promise<Measured> {
    const { pipeline, proxy } = this.parts;
    const untilFirstWorkMs = await this.grow();
    proxy.delayMs = delays.measuredMs;
    const before = await this.done();
    const measuredFrom = await this.storedPart();
    await this.untilStored(measuredFrom + 0.25);
    const after = await this.done();
    const shares = {
      streamer: since(before.streamer, after.streamer),
      collector: since(before.collector, after.collector),
    };
    await Promise.all([pipeline.kill("collector"), pipeline.kill("streamer")]);
    this.record("after kill -9, one collector and one streamer have started again");
    await this.untilStored(measuredFrom + 0.3);
    const ends = (await Promise.all([pipeline.shrink("collector", 1), pipeline.shrink("streamer", 1)])).flat();
    this.record("1 collector and 1 streamer are left");
    proxy.delayMs = 0;
    return { shares, untilFirstWorkMs, ends };
  }

  private async grow(): Promise<Measured["untilFirstWorkMs"]> {
    const { pipeline, proxy } = this.parts;
    pipeline.grow("streamer", 1);
    pipeline.grow("collector", 2);
    await this.untilStored(0.1);
    proxy.delayMs = delays.growingMs;
    const [collector, streamer] = await Promise.all([
      pipeline.untilWorking("collector", pipeline.grow("collector", most.collector)),
      pipeline.untilWorking("streamer", pipeline.grow("streamer", most.streamer)),
    ]);
    this.record(`${most.collector} collectors and ${most.streamer} streamers work`);
    return { collector, streamer };
  }

  private async done(): Promise<Measured["shares"]> {
    const { pipeline } = this.parts;
    const [streamer, collector] = await Promise.all([pipeline.samplesOf("streamer"), pipeline.samplesOf("collector")]);
    return { streamer, collector };
  }

  /** @returns the part of the file that is stored, 0 to 1 */
  private async storedPart(): Promise<number> {
    const { run, ledger } = this.parts;
    // the first collector creates the table
    const [row] = await run.database
      .query<{ bytes: number | null }>("select sum(to_offset - from_offset)::float8 as bytes from ingested_messages")
      .catch(() => []);
    return (row?.bytes ?? 0) / ledger.csv.length;
  }

  private async untilStored(part: number): Promise<void> {
    // the last message may be stored before this is seen
    const wanted = Math.min(part, 0.98);
    await until(async () => (await this.storedPart()) >= wanted, { timeoutMs: 300_000, everyMs: 200 });
    this.record(`${Math.round(wanted * 100)} % of the file is stored`);
  }
}

function since(before: readonly Share[], after: readonly Share[]): Share[] {
  return after.map(({ name, samples }, index) => ({ name, samples: samples - (before[index]?.samples ?? 0) }));
}
