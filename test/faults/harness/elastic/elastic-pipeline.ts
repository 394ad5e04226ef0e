import { join } from "node:path";
import { until } from "../../../../dev/until.ts";
import { pipelineEnvironment, type PipelineOptions, reportAcknowledged, streamingEnvironment } from "../processes.ts";
import { Worker } from "../workers.ts";

/** The roles whose number changes, each with the counter of what one process has done. */
const doneCounters = {
  streamer: "telemetry_published_samples_total",
  collector: "telemetry_stored_samples_total",
} as const;

/** The start of several processes at the same time may take this long on a busy machine. */
const startMs = 120_000;

/** A role whose number of processes changes. */
export type ElasticRole = keyof typeof doneCounters;

/** What a process did in a period. */
export interface Share {
  readonly name: string;
  readonly samples: number;
}

export interface ElasticPipelineOptions extends PipelineOptions {
  /** Rows in a message. */
  readonly batchSize: number;
}

/** The processes of a pipeline, whose number grows and shrinks. */
export class ElasticPipeline {
  private readonly running: Record<ElasticRole, Worker[]> = { streamer: [], collector: [] };
  private made = 0;

  constructor(private readonly options: ElasticPipelineOptions) {}

  /** Starts processes until there are `count`. @returns the new ones */
  grow(role: ElasticRole, count: number): readonly Worker[] {
    const added: Worker[] = [];
    while (this.running[role].length < count) {
      const worker = this.make(role);
      worker.start();
      this.running[role].push(worker);
      added.push(worker);
    }
    return added;
  }

  /** Ends the newest processes until there are `count`, by SIGTERM and kill -9 in turn.
   *  @returns how those that received SIGTERM ended, and how long each took */
  async shrink(role: ElasticRole, count: number): Promise<readonly Ended[]> {
    const leaving = this.running[role].splice(count).reverse();
    const ended = await Promise.all(
      leaving.map(async (worker, index) => {
        if (index % 2 === 0) return endedBySigterm(worker);
        await worker.stop("SIGKILL");
        return [];
      }),
    );
    return ended.flat();
  }

  /** Kills the newest process by kill -9. Resolves when it has started again. */
  async kill(role: ElasticRole): Promise<void> {
    const victim = this.running[role].at(-1);
    victim?.signal("SIGKILL");
    await until(() => victim?.url === undefined);
    await until(() => victim?.url !== undefined, { timeoutMs: startMs });
  }

  /** Waits until each of the processes has done something.
   *  @returns for each, the time in ms between its start, when it printed its URL, and its first work */
  async untilWorking(role: ElasticRole, workers: readonly Worker[]): Promise<readonly number[]> {
    return Promise.all(
      workers.map(async (worker) => {
        await until(() => worker.url !== undefined, { timeoutMs: startMs });
        const upAtMs = performance.now();
        await until(async () => ((await samplesOf(role, worker)) ?? 0) > 0, { timeoutMs: 60_000, everyMs: 50 });
        return performance.now() - upAtMs;
      }),
    );
  }

  /** What each process of a role has done since its start. */
  async samplesOf(role: ElasticRole): Promise<readonly Share[]> {
    return Promise.all(
      this.running[role].map(async (worker) => ({
        name: worker.name,
        samples: (await samplesOf(role, worker)) ?? 0,
      })),
    );
  }

  /** Ends all processes by SIGTERM, at the same time. @returns how each ended */
  async stop(): Promise<readonly Ended[]> {
    const all = [...this.running.collector.splice(0), ...this.running.streamer.splice(0)];
    return (await Promise.all(all.map(endedBySigterm))).flat();
  }

  private make(role: ElasticRole): Worker {
    const { databaseUrl, logFolder, onAcknowledged, batchSize } = this.options;
    const name = `${role}-${(this.made += 1)}`;
    const own =
      role === "streamer"
        ? { ...streamingEnvironment(this.options), BATCH_SIZE: String(batchSize) }
        : { DATABASE_URL: databaseUrl, COLLECTOR_WORKERS: "1" };
    return new Worker({
      name,
      env: {
        ...pipelineEnvironment(this.options),
        ...{ ROLE: role, INSTANCE_NAME: name, QUEUE_CAPACITY_MESSAGES: "50" },
        ...own,
      },
      logFile: join(logFolder, `${name}.log`),
      onLine: (line) => reportAcknowledged(line, onAcknowledged),
    });
  }
}

/** How a process ended after SIGTERM. */
export interface Ended {
  /** Its name and the result of `Worker.stop`. */
  readonly end: string;
  readonly tookMs: number;
}

async function endedBySigterm(worker: Worker): Promise<Ended[]> {
  const startedAtMs = performance.now();
  const end = `${worker.name} ${await worker.stop()}`;
  return [{ end, tookMs: performance.now() - startedAtMs }];
}

/** @returns undefined if the process does not answer */
async function samplesOf(role: ElasticRole, { url }: Worker): Promise<number | undefined> {
  try {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
    const [, value] = new RegExp(`^${doneCounters[role]} (\\S+)`, "m").exec(text) ?? [];
    return value === undefined ? undefined : Number(value);
  } catch {
    return undefined;
  }
}
