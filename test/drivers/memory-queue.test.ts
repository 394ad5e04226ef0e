import { expect, test } from "bun:test";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { exerciseQueue } from "../contract/queue.ts";
import { ManualClock } from "../support/manual-clock.ts";

const leaseSeconds = 30;

exerciseQueue("MemoryQueue", (options) => {
  const clock = new ManualClock();
  const queue = new MemoryQueue({ topic: "contract", clock, leaseSeconds, ...options });
  return Promise.resolve({ queue, deadLetters: queue, letLeasesEnd: () => clock.advance(leaseSeconds * 1000) });
});

test("a message is kept when it is acknowledged, not when it is claimed", async () => {
  const clock = new ManualClock();
  const queue = new MemoryQueue({ topic: "kept", clock, leaseSeconds, capacityMessages: 10, maxAttempts: 1 });
  const { signal } = new AbortController();
  const at = { offset: 0, line: 1 };
  const source = { sourceId: "kept", from: at, to: at };
  const message = { traceId: "a", schemaVersion: "v1", encoding: "json", count: 1, source };
  const publish = (idempotencyKey: string, until: AbortSignal): Promise<unknown> =>
    queue.publish([{ ...message, idempotencyKey, payload: new Uint8Array(1) }], { signal: until, untilKept: true });
  const order: string[] = [];
  const kept = publish("a", signal).then(() => order.push("kept"));
  const deliveries = await queue.claim({ consumerId: "a", maxMessages: 1, signal });
  await Bun.sleep(1);
  order.push("claimed");
  await queue.acknowledge(deliveries);
  await kept;
  expect(order).toEqual(["claimed", "kept"]);
  const aborting = new AbortController();
  const waiting = publish("b", aborting.signal);
  await queue.claim({ consumerId: "a", maxMessages: 1, signal });
  aborting.abort(new Error("enough"));
  expect(await waiting.catch((error: unknown) => error)).toMatchObject({ message: "enough" });
  await queue.close();
});

test("the age of the oldest message counts a message that was redriven after younger ones were published", async () => {
  const clock = new ManualClock();
  const queue = new MemoryQueue({ topic: "ages", clock, leaseSeconds, capacityMessages: 10, maxAttempts: 1 });
  const signal = new AbortController().signal;
  const at = { offset: 0, line: 1 };
  const publish = (idempotencyKey: string): Promise<unknown> =>
    queue.publish(
      [
        {
          idempotencyKey,
          traceId: idempotencyKey,
          schemaVersion: "v1",
          encoding: "json",
          count: 1,
          payload: new Uint8Array(1),
          source: { sourceId: "ages", from: at, to: at },
        },
      ],
      { signal },
    );
  await publish("older");
  for (const delivery of await queue.claim({ consumerId: "a", maxMessages: 1, signal })) {
    await queue.reject(delivery, "no");
    await clock.advance(5000);
    await publish("younger");
    await queue.redrive(delivery.envelope.id);
  }
  expect((await queue.stats()).oldestAgeMs).toBe(5000);
  await queue.close();
});
