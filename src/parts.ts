import { hostname } from "node:os";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import type { Config } from "./config.ts";
import type { Clock } from "./domain/clock.ts";
import { Collector } from "./pipeline/collector.ts";
import { fanOut, type PipelineListener } from "./pipeline/pipeline-listener.ts";
import { pipelineMetrics } from "./pipeline/pipeline-metrics.ts";
import { MemoryQueue } from "./pipeline/queue/memory-queue.ts";
import type { Queue } from "./pipeline/queue/queue.ts";
import type { Service } from "./pipeline/service.ts";
import { CsvSource } from "./pipeline/source/csv-source.ts";
import { SimulatedSource } from "./pipeline/source/simulated-source.ts";
import type { Source } from "./pipeline/source/source.ts";
import { openPGliteStore } from "./pipeline/store/open-pglite-store.ts";
import type { TelemetryQueries } from "./pipeline/store/telemetry-queries.ts";
import type { TelemetryStore } from "./pipeline/store/telemetry-store.ts";
import { Streamer } from "./pipeline/streamer.ts";
import { TokenBucket } from "./pipeline/token-bucket.ts";
import { ImportMonitor } from "./terminal/import-monitor.ts";

/** What a process is made of: every driver chosen, nothing started. */
export interface Parts {
  readonly store: TelemetryStore;
  readonly queries: TelemetryQueries;
  readonly queue: Queue;
  /** In the order of starting. */
  readonly services: readonly Service[];
  readonly registry: Registry;
  /** What is streamed, for people; undefined where this process streams nothing. */
  readonly sourceDescription: string | undefined;
  /** Closes queue and store, after the services were stopped. */
  close(): Promise<void>;
}

interface Surroundings {
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes reports for people. */
  readonly print: (text: string) => void;
  /** Where a progress bar is drawn. */
  readonly terminal: NodeJS.WriteStream;
}

/** Chooses each driver by the configuration; the only place that makes one.
 *  @throws UnusableSource, DataDirUnusable, StoreUnavailable, before anything runs */
export async function makeParts(config: Config, surroundings: Surroundings): Promise<Parts> {
  const { clock } = surroundings;
  const firstSource = config.roles.includes("streamer") ? await openSource(config, clock, 0) : undefined;
  const { store, queries, close } = await openPGliteStore({ dataDir: config.dataDir });
  const queue = new MemoryQueue({
    topic: "telemetry",
    clock,
    capacityMessages: config.queueCapacityMessages,
    leaseSeconds: config.queueLeaseSeconds,
    maxAttempts: config.queueMaxAttempts,
  });
  const registry = new Registry();
  const monitor = new ImportMonitor({ ...surroundings, queue, store });
  const listener = fanOut([pipelineMetrics(registry), monitor.listener()]);
  const services: Service[] = [];
  if (config.roles.includes("collector")) {
    services.push(makeCollector(config, { ...surroundings, queue, store, listener }));
  }
  if (firstSource !== undefined) {
    services.push(makeStreamer(config, { ...surroundings, queue, store, listener }, firstSource));
  }
  return {
    store,
    queries,
    queue,
    services,
    registry,
    sourceDescription: firstSource?.description,
    close: async () => {
      await queue.close();
      await close();
    },
  };
}

interface PipelineParts extends Surroundings {
  readonly queue: Queue;
  readonly store: TelemetryStore;
  readonly listener: PipelineListener;
}

function makeCollector(config: Config, { queue, store, listener, clock, log }: PipelineParts): Collector {
  return new Collector({
    consumerId: `${hostname()}:${process.pid}`,
    queue,
    store,
    workers: config.collectorWorkers,
    leaseSeconds: config.queueLeaseSeconds,
    drainOnStop: true,
    clock,
    listener,
    log,
  });
}

function makeStreamer(config: Config, parts: PipelineParts, firstSource: Source): Streamer {
  const { queue, store, listener, clock, log } = parts;
  const ratePerSecond = config.rateLimitSamplesPerSecond;
  return new Streamer({
    openSource: async (round) => {
      if (round === 0) return firstSource;
      return config.loopMode ? openSource(config, clock, round) : undefined;
    },
    queue,
    store,
    bucket: new TokenBucket({ ratePerSecond, burst: Math.max(ratePerSecond, config.batchSize), clock }),
    intervalMs: config.csvFile === undefined ? 0 : config.streamIntervalMs,
    clock,
    listener,
    log,
  });
}

async function openSource(config: Config, clock: Clock, round: number): Promise<Source> {
  const { csvFile, clusterId, batchSize } = config;
  if (csvFile === undefined) {
    return new SimulatedSource({
      hosts: config.simHosts,
      gpusPerHost: config.simGpusPerHost,
      seed: config.simSeed,
      intervalMs: config.simIntervalMs,
      clusterId,
      clock,
      batchSize,
    });
  }
  const timestamps = config.timestamps ?? (config.loopMode ? "now" : "original");
  return CsvSource.open({ path: csvFile, clusterId, batchSize, timestamps, clock, round });
}
