import { join } from "node:path";
import { pipelineEnvironment, type Servers } from "../processes.ts";
import type { PlainRun } from "../seed-run.ts";
import { Worker } from "../workers.ts";

export interface ScrapingPipelineOptions {
  readonly servers: Servers;
  readonly run: PlainRun;
  readonly leaseSeconds: number;
  readonly intervalMs: number;
  readonly targets: readonly string[];
  readonly streamers: number;
  readonly collectors: number;
  readonly logFolder: string;
}

/** The processes of a pipeline that scrapes. */
export interface ScrapingPipeline {
  readonly streamers: readonly Worker[];
  readonly collectors: readonly Worker[];
}

/** Makes the processes, without starting them. */
export function makeScrapingPipeline(options: ScrapingPipelineOptions): ScrapingPipeline {
  const { servers, run, leaseSeconds, intervalMs, targets, logFolder } = options;
  const shared = pipelineEnvironment({ servers, topic: run.topic, leaseSeconds });
  const worker = (name: string, env: Record<string, string>, host?: Worker["host"]): Worker =>
    new Worker({
      ...{ name, host, env: { ...shared, ...env } },
      logFile: join(logFolder, `${name}.log`),
      onLine: () => undefined,
    });
  const streaming = {
    ROLE: "streamer",
    DCGM_TARGETS: targets.join(","),
    DCGM_INTERVAL: `${intervalMs}ms`,
    QUEUE_CAPACITY_MESSAGES: "100000",
  };
  const collecting = (index: number): Record<string, string> => ({
    ROLE: "collector",
    DATABASE_URL: run.databaseUrl,
    HOST: servers.collectorHosts[index]?.address ?? "127.0.0.1",
    PORT: String(servers.collectorPorts[index] ?? 0),
  });
  return {
    streamers: Array.from({ length: options.streamers }, (_, index) =>
      worker(`streamer-${index}`, streaming, servers.streamerHosts[index]),
    ),
    collectors: Array.from({ length: options.collectors }, (_, index) =>
      worker(`collector-${index}`, collecting(index), servers.collectorHosts[index]),
    ),
  };
}
