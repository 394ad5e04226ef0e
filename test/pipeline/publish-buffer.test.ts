import { expect, test } from "bun:test";
import { EtcdUnavailable, RangeLost } from "../../src/domain/errors.ts";
import type { OutgoingMessage } from "../../src/pipeline/stream/batch-messages.ts";
import { PublishBuffer } from "../../src/pipeline/stream/publish-buffer.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { Queue } from "../../src/pipeline/queue/queue.ts";
import { ManualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;
const clock = new ManualClock();

const openQueue = (capacityMessages = 1000): MemoryQueue =>
  new MemoryQueue({ topic: "buffer", clock, capacityMessages, leaseSeconds: 30, maxAttempts: 3 });

function outgoing(key: number): OutgoingMessage {
  const at = { offset: key, line: key };
  return {
    message: {
      ...{ idempotencyKey: String(key), traceId: "t", schemaVersion: "v1", encoding: "none", count: 1 },
      payload: new Uint8Array(10),
      source: { sourceId: "buffer", from: at, to: at },
    },
    tally: { rows: 1, samples: 1, missing: 0, duplicates: 0, conflicts: 0, blankLines: 0, repeatedHeaders: 0 },
  };
}

interface Opened {
  readonly buffer: PublishBuffer;
  /** The number of messages in each successful publish. */
  readonly groups: number[];
}

function open(queue: Pick<Queue, "publish">): Opened {
  const groups: number[] = [];
  const buffer = new PublishBuffer({
    queue: queue as Queue,
    checkpoint: undefined,
    clock,
    signal: never,
    onPublished: (messages) => groups.push(messages.length),
    onRetry: () => undefined,
  });
  return { buffer, groups };
}

test("messages are published in their order, and those added during a publish are part of the next one", async () => {
  const queue = openQueue();
  const { buffer, groups } = open(queue);
  await Promise.all(Array.from({ length: 10 }, (_, key) => buffer.add([outgoing(key)])));
  await buffer.flush();
  const deliveries = await queue.claim({ consumerId: "c", maxMessages: 100, signal: never });
  expect(deliveries.map(({ envelope }) => Number(envelope.idempotencyKey))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(groups).toEqual([1, 9]);
});

test("the messages of a batch are published together, even if nothing is being published", async () => {
  const { buffer, groups } = open(openQueue());
  await buffer.add([outgoing(1), outgoing(2), outgoing(3)]);
  await buffer.flush();
  expect(groups).toEqual([3]);
});

test("adding waits while the queue is full, so that the buffer holds few messages", async () => {
  const queue = openQueue(1);
  const { buffer } = open(queue);
  let added = 0;
  const adding = (async () => {
    for (; added < 200; added += 1) await buffer.add([outgoing(added)]);
  })();
  await clock.advance(0);
  expect(added).toBeLessThan(50);
  for (let taken = 0; taken < 200;) {
    const deliveries = await queue.claim({ consumerId: "c", maxMessages: 10, signal: never });
    taken += deliveries.length;
    await queue.acknowledge(deliveries);
  }
  await adding;
  await buffer.flush();
});

test("a publish with a retryable error is repeated; after any other error, every later call fails with that error", async () => {
  const queue = openQueue();
  const failures: Error[] = [new EtcdUnavailable("no leader"), new EtcdUnavailable("no leader")];
  const { buffer, groups } = open({
    publish: (messages, options) => {
      const failure = failures.shift();
      return failure === undefined ? queue.publish(messages, options) : Promise.reject(failure);
    },
  });
  await buffer.add([outgoing(1)]);
  await clock.advance(60_000);
  await buffer.flush();
  expect(groups).toEqual([1]);
  failures.push(new RangeLost("another has it"));
  await buffer.add([outgoing(2)]);
  expect(await buffer.flush().catch((error: unknown) => error)).toBeInstanceOf(RangeLost);
  expect(await buffer.add([outgoing(3)]).catch((error: unknown) => error)).toBeInstanceOf(RangeLost);
  expect((await queue.stats()).readyMessages).toBe(1);
});
