import { stopwatch } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import { type PipelineListener, silentListener } from "../../pipeline/observe/pipeline-listener.ts";
import type { ServiceLoad } from "./service-instance.ts";

/** What a process has used so far, and uses now. */
interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

export interface LoadMeterOptions {
  readonly roles: readonly string[];
  /** Milliseconds since the start of the meter; by default, of the machine's clock. */
  readonly elapsedMs?: () => number;
  /** By default, that of this process. */
  readonly usage?: () => Usage;
}

/** What the process has done until an instant. */
interface Totals {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly publishedMessages: number;
  readonly publishedSamples: number;
  readonly storedMessages: number;
  readonly storedSamples: number;
}

/** A rate is that of the last 4 s at least, if the meter has run that long. */
const windowMs = 4000;
/** There is no rate of a shorter time than this: a single message would count too much. */
const shortestWindowMs = 1000;

/** Measures the load of a process: counts the messages that it publishes and stores, and reads its use of processor and memory. */
export class LoadMeter {
  readonly listener: PipelineListener = {
    ...silentListener,
    published: ({ samples }, duplicate) => {
      if (duplicate) return;
      this.counts.publishedMessages += 1;
      this.counts.publishedSamples += samples;
    },
    stored: ({ batch }, { duplicate }) => {
      if (duplicate) return;
      this.counts.storedMessages += 1;
      this.counts.storedSamples += batch.tally.samples;
    },
  };
  private readonly counts = { publishedMessages: 0, publishedSamples: 0, storedMessages: 0, storedSamples: 0 };
  private readonly elapsedMs: () => number;
  private readonly usage: () => Usage;
  /** Oldest first. */
  private readonly readings: Totals[];

  constructor(private readonly options: LoadMeterOptions) {
    this.elapsedMs = options.elapsedMs ?? stopwatch();
    this.usage = options.usage ?? processUsage;
    this.readings = [this.totals(this.usage())];
  }

  /** The load since a reading at least 4 s ago, or since the start of the meter. */
  read(): ServiceLoad {
    const usage = this.usage();
    const now = this.totals(usage);
    while (now.atMs - (this.readings[1]?.atMs ?? Infinity) >= windowMs) this.readings.shift();
    const since = this.readings[0] ?? now;
    this.readings.push(now);
    return { ...this.rates(since, now), rss_bytes: usage.rssBytes };
  }

  private rates(since: Totals, now: Totals): ServiceLoad {
    const seconds = (now.atMs - since.atMs) / 1000;
    if (seconds * 1000 < shortestWindowMs) return {};
    const rate = (name: keyof Totals): number => rounded((now[name] - since[name]) / seconds);
    const { roles } = this.options;
    const [publishes, stores] = [roles.includes("streamer"), roles.includes("collector")];
    return defined({
      samples_per_second: stores ? rate("storedSamples") : publishes ? rate("publishedSamples") : undefined,
      published_messages_per_second: publishes ? rate("publishedMessages") : undefined,
      stored_messages_per_second: stores ? rate("storedMessages") : undefined,
      cpu_percent: rounded(rate("cpuMs") / 10),
    });
  }

  private totals({ cpuMs }: Usage): Totals {
    return { atMs: this.elapsedMs(), cpuMs, ...this.counts };
  }
}

function processUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
