import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { keyedByRange, messagesOf } from "../../src/pipeline/stream/batch-messages.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { NewMessage } from "../../src/pipeline/queue/queue.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import type { IngestResult } from "../../src/pipeline/store/telemetry-store.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

/** A running collector, for tests with a database that fails. */
export interface Collecting {
  readonly queue: MemoryQueue;
  /** The messages of the errors after which the collector tried again. */
  readonly failures: readonly string[];
  readonly results: readonly IngestResult[];
  /** The collector's error in /health; undefined if it has none. */
  error(): string | undefined;
  /** Publishes the message with this number. */
  publish(number: number): Promise<void>;
  /** Waits until the queue is empty and the collector has no error.
   *  @throws Error if a message becomes a dead letter, or after 40 s */
  untilStored(): Promise<void>;
  close(): Promise<void>;
}

/** With `maxAttempts` 1, a message becomes a dead letter when it is rejected once. Retries after errors of the store are not
 *  attempts. */
const queueOptions = { topic: "failing", capacityMessages: 100, leaseSeconds: 30, maxAttempts: 1 };
const firstMs = Date.UTC(2025, 6, 18, 20, 42, 34);
const gpusPerMessage = 16;
const secondsPerMessage = 8;
/** The number of records in each message. */
export const recordsPerMessage = gpusPerMessage * secondsPerMessage;

/** Starts a collector with a queue and a hot tier in memory.
 *  @param url URL of a database whose schema is up to date */
export async function startCollecting(url: string): Promise<Collecting> {
  const queue = new MemoryQueue({ ...queueOptions, clock: systemClock });
  const opened = await openPostgresStore({ url, migrate: false });
  const failures: string[] = [];
  const results: IngestResult[] = [];
  const collector = new Collector({
    admit: () => Promise.resolve(),
    ...{ queue, store: opened.store, clock: systemClock, log: unshownLog() },
    hotTier: new MemoryHotTier({ onCoalesced: () => undefined }),
    ...{ consumerId: "one", workers: 1, leaseSeconds: queueOptions.leaseSeconds, drainOnStop: false },
    listener: {
      ...silentListener,
      retried: ({ message }) => void failures.push(message),
      stored: (_, result) => void results.push(result),
    },
  });
  await collector.start();
  const isStored = async (): Promise<boolean> => {
    const { readyMessages: ready, inFlightMessages: inFlight, deadMessages: dead } = await queue.stats();
    if (dead > 0) throw new Error(`dead-lettered: ${JSON.stringify(await queue.list(10))}`);
    return ready + inFlight === 0 && collector.error() === undefined;
  };
  const untilStored = async (): Promise<void> => void (await until(isStored, { timeoutMs: 40_000, everyMs: 2 }));
  return {
    ...{ queue, failures, results, untilStored },
    error: () => collector.error(),
    publish: async (number) =>
      void (await queue.publish([messageOf(number)], { signal: new AbortController().signal })),
    close: async () => {
      await collector.stop(AbortSignal.abort());
      await queue.close();
      await opened.close();
    },
  };
}

function messageOf(number: number): NewMessage {
  const records = Array.from({ length: recordsPerMessage }, (_, index) => ({
    uuid: `gpu-${index % gpusPerMessage}`,
    timeMs: firstMs + (number * secondsPerMessage + Math.floor(index / gpusPerMessage)) * 1000,
    metrics: { temperature: number, power_draw: index + 1 / 3 },
  }));
  const range = {
    sourceId: "failing",
    from: { offset: number, line: number },
    to: { offset: number + 1, line: number + 1 },
  };
  const [outgoing] = messagesOf(keyedByRange({ range, batch: makeBatch(records) }), Infinity);
  return (outgoing as NonNullable<typeof outgoing>).message;
}
