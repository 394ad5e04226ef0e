import pino from "pino";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { countPrefix, put, removePrefix } from "../../src/etcd/requests.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import type { NewMessage } from "../../src/pipeline/queue/queue.ts";
import { EtcdUpkeep } from "../../src/pipeline/upkeep/etcd-upkeep.ts";
import { median } from "../support/statistics.ts";
import { until } from "../../dev/until.ts";

/** Opens the queue of a topic. A message may be claimed up to 100 times. */
function openQueue(client: EtcdClient, topic: string, leaseSeconds: number, capacityMessages = 1000): EtcdQueue {
  const log = pino({ level: "error" });
  return new EtcdQueue({ client, topic, clock: systemClock, capacityMessages, leaseSeconds, maxAttempts: 100, log });
}

const { signal } = new AbortController();

/** Writes a payload to etcd with raw puts, 16 of them in flight. @returns puts per second */
export async function rawPutRate(client: EtcdClient, payload: Uint8Array, seconds: number): Promise<number> {
  const inFlight = 16;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let puts = 0;
  const write = async (writer: number): Promise<void> => {
    for (let index = 0; performance.now() < endMs; index += 1) {
      await client.txn({ success: [put(`/raw/${writer}/${index % 50}`, payload)] });
      puts += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, writer) => write(writer)));
  const rate = puts / ((performance.now() - startMs) / 1000);
  await client.txn({ success: [removePrefix("/raw/")] });
  // otherwise the next measurement would include the compaction of these writes
  await client.compact((await client.databaseSize()).revision, true);
  return rate;
}

/** The result of `carry`. The rates are those from the first publish to the last acknowledgement. */
export interface CarryResult {
  readonly messagesPerSecond: number;
  readonly samplesPerSecond: number;
  /** The largest measured size of etcd's database file. */
  readonly databaseMaxBytes: number;
}

/** Publishes messages while a consumer process claims and acknowledges them, and returns when the queue is empty. Meanwhile,
 *  the pipeline's own service compacts etcd, which keeps 5 s of history instead of 30 s. */
export async function carry(options: {
  readonly client: EtcdClient;
  readonly endpoints: readonly string[];
  readonly topic: string;
  readonly batches: readonly RecordBatch[];
  readonly messages: number;
  /** If true, each message's batch is encoded and decoded. If false, the batches are encoded before the measurement and never
   *  decoded. */
  readonly codec: boolean;
}): Promise<CarryResult> {
  const { client, endpoints, topic, batches, messages, codec } = options;
  const queue = openQueue(client, topic, 30);
  const consumer = startConsumer({ endpoints, topic, codec, leaseSeconds: 30, holds: false });
  const upkeep = new EtcdUpkeep({
    ...{ client, clock: systemClock, instanceId: "bench", historySeconds: 5 },
    log: pino({ level: "error" }),
  });
  await upkeep.start();
  const watch = watchSize(client);
  await Bun.sleep(1000); // the consumer's start is not measured
  const encoded = batches.map((batch) => encodeBatch(batch));
  const startMs = performance.now();
  for (let from = 0; from < messages; from += groupMessages) {
    const group = Array.from({ length: Math.min(groupMessages, messages - from) }, (_, index): NewMessage => {
      const at = from + index;
      const batch = batches[at % batches.length] as RecordBatch;
      const envelope = { idempotencyKey: `${topic}:${at}`, traceId: "bench", count: batch.recordCount };
      const payload = codec ? encodeBatch(batch) : (encoded[at % encoded.length] as (typeof encoded)[number]);
      const position = { offset: at, line: 0 };
      return { ...payload, ...envelope, source: { sourceId: "bench", from: position, to: position } };
    });
    await queue.publish(group, { signal });
  }
  const isEmpty = async (): Promise<boolean> => {
    const { responses } = await client.txn({ success: [countPrefix(`/queue/${topic}/messages/`)] });
    return responses[0]?.response_range.count === "0";
  };
  await until(isEmpty, { timeoutMs: 600_000, everyMs: 5 });
  const seconds = (performance.now() - startMs) / 1000;
  consumer.kill();
  await consumer.exited;
  const databaseMaxBytes = await watch.stop();
  await upkeep.stop(AbortSignal.abort());
  await queue.close();
  const samples = batches.reduce((sum, { tally }) => sum + tally.samples, 0) / batches.length;
  return { messagesPerSecond: messages / seconds, samplesPerSecond: (messages * samples) / seconds, databaseMaxBytes };
}

/** The number of messages in one publish. */
const groupMessages = 16;

function startConsumer(options: {
  readonly endpoints: readonly string[];
  readonly topic: string;
  readonly codec: boolean;
  readonly leaseSeconds: number;
  readonly holds: boolean;
}) {
  const { endpoints, topic, codec, leaseSeconds, holds } = options;
  const args = [endpoints.join(","), topic, "16", String(leaseSeconds), String(codec), String(holds)];
  return Bun.spawn([process.execPath, `${import.meta.dir}/consumer.ts`, ...args], {
    stdout: "pipe",
    stderr: "inherit",
  });
}

function watchSize(client: EtcdClient): { stop(): Promise<number> } {
  const halt = new AbortController();
  let max = 0;
  const watching = (async () => {
    while (!halt.signal.aborted) {
      max = Math.max(max, (await client.databaseSize()).fileBytes);
      await systemClock.sleep(200, halt.signal);
    }
  })();
  return {
    stop: async () => {
      halt.abort();
      await watching;
      return max;
    },
  };
}

/** Sends one message at a time through an idle queue.
 *  @returns median milliseconds from the call of `claim` to the end of `acknowledge` */
export async function claimToAckMs(client: EtcdClient, payload: Uint8Array, rounds: number): Promise<number> {
  const queue = openQueue(client, "bench-latency", 30);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const position = { offset: round, line: 0 };
    const source = { sourceId: "bench", from: position, to: position };
    const envelope = { idempotencyKey: `latency:${round}`, traceId: "bench", schemaVersion: "v1", encoding: "none" };
    await queue.publish([{ ...envelope, count: 1, payload, source }], { signal });
    const startMs = performance.now();
    await queue.acknowledge(await queue.claim({ consumerId: "bench", maxMessages: 1, signal }));
    times.push(performance.now() - startMs);
  }
  await queue.close();
  return median(times);
}

/** Kills a process that holds a message.
 *  @returns the milliseconds until another consumer has claimed and acknowledged the message */
export async function redeliveryMs(
  client: EtcdClient,
  endpoints: readonly string[],
  round: { readonly index: number; readonly leaseSeconds: number },
): Promise<number> {
  const { index, leaseSeconds } = round;
  const topic = `bench-redelivery-${index}`;
  const queue = openQueue(client, topic, leaseSeconds);
  const position = { offset: 0, line: 0 };
  const source = { sourceId: "bench", from: position, to: position };
  const envelope = { idempotencyKey: "one", traceId: "bench", schemaVersion: "v1", encoding: "none", count: 1 };
  await queue.publish([{ ...envelope, payload: new Uint8Array(100), source }], { signal });
  const holder = startConsumer({ endpoints, topic, codec: false, leaseSeconds, holds: true });
  await holder.stdout.getReader().read(); // it prints a line when it holds the message
  const waiting = queue.claim({ consumerId: "other", maxMessages: 1, signal });
  // so that each round kills the process at a different point between two renewals of the lease
  await Bun.sleep(500 + (index * leaseSeconds * 1000) / 15);
  const killedAtMs = performance.now();
  holder.kill("SIGKILL");
  await queue.acknowledge(await waiting);
  const redeliveredAfterMs = performance.now() - killedAtMs;
  await queue.close();
  return redeliveredAfterMs;
}
