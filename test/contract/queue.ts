import { afterEach, describe, expect, test } from "bun:test";
import { NeedsNewerVersion } from "../../src/domain/errors.ts";
import type { DeadLetter, DeadLetters, Delivery, NewMessage, Queue } from "../../src/pipeline/queue/queue.ts";

/** A queue under test, and its driver's way to end leases. */
export interface OpenQueue {
  readonly queue: Queue;
  readonly deadLetters: DeadLetters;
  /** Ends the leases of all current claims. */
  readonly letLeasesEnd: () => Promise<void>;
}

export interface OpenQueueOptions {
  readonly capacityMessages: number;
  readonly maxAttempts: number;
  readonly maxDeadLetters?: number;
  readonly onLost?: (letter: DeadLetter) => void;
}

const never = new AbortController().signal;

/** The error of a rejected promise; undefined if the promise is fulfilled. Bun's `rejects` is not used, because it blocks http2
 *  streams while it waits. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

function message(key: string): NewMessage {
  const at = { offset: 0, line: 1 };
  return {
    idempotencyKey: key,
    traceId: `trace of ${key}`,
    schemaVersion: "v1",
    encoding: "json",
    count: 1,
    payload: new TextEncoder().encode(key),
    source: { sourceId: "contract", from: at, to: at },
  };
}

/** The contract of every driver of the queue. */
export function exerciseQueue(name: string, open: (options: OpenQueueOptions) => Promise<OpenQueue>): void {
  describe(`${name} keeps the queue's contract`, () => {
    let opened: OpenQueue | undefined;
    afterEach(() => opened?.queue.close());

    const start = async (options: Partial<OpenQueueOptions> = {}): Promise<OpenQueue> =>
      (opened = await open({ capacityMessages: 100, maxAttempts: 3, ...options }));
    const claim = (queue: Queue, maxMessages = 1, signal = never): Promise<Delivery[]> =>
      queue.claim({ consumerId: "a", maxMessages, signal });
    /** Claims until it has this many messages, because a claim may return fewer than are ready. */
    const claimAll = async (queue: Queue, messages: number): Promise<Delivery[]> => {
      const deliveries: Delivery[] = [];
      while (deliveries.length < messages) deliveries.push(...(await claim(queue, messages - deliveries.length)));
      return deliveries;
    };
    const claimOne = async (queue: Queue): Promise<Delivery> => (await claim(queue))[0] as Delivery;
    const publish = async (queue: Queue, ...keys: string[]): Promise<void> => {
      await queue.publish(keys.map(message), { signal: never });
    };
    const keysOf = (deliveries: readonly Delivery[]): string[] =>
      deliveries.map(({ envelope }) => envelope.idempotencyKey);

    test("a consumer whose wait is aborted takes no wake-up from another consumer", async () => {
      const { queue } = await start();
      const waits = new AbortController();
      const first = claim(queue);
      const aborted = claim(queue, 1, waits.signal);
      // lets both claims begin to wait, in this order
      await Bun.sleep(0);
      waits.abort();
      expect(await aborted).toEqual([]);
      await Bun.sleep(0);
      await publish(queue, "a");
      expect(keysOf(await first)).toEqual(["a"]);
    });

    test("a message that is left for a newer version is not delivered through this queue again, and the others are", async () => {
      const { queue } = await start();
      await publish(queue, "newer", "other");
      await queue.reject(await claimOne(queue), new NeedsNewerVersion("schema v2"));
      const other = await claimOne(queue);
      expect(keysOf([other])).toEqual(["other"]);
      await queue.acknowledge([other]);
      expect(await claim(queue, 1, AbortSignal.timeout(300))).toEqual([]);
    });

    test("messages are delivered oldest first, with envelope and payload as published", async () => {
      const { queue } = await start();
      await publish(queue, "one", "two", "three");
      const deliveries = await claimAll(queue, 2);
      expect(keysOf(deliveries)).toEqual(["one", "two"]);
      expect(deliveries[0]).toMatchObject({ attempt: 1, envelope: { traceId: "trace of one", count: 1 } });
      expect(new TextDecoder().decode(deliveries[0]?.payload)).toBe("one");
      expect(keysOf(await claim(queue, 2))).toEqual(["three"]);
    });

    test("a recorded trace goes on with its message, also after a delivery that failed; others have none", async () => {
      const { queue } = await start();
      const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
      await queue.publish([{ ...message("recorded"), traceparent }, message("other")], { signal: never });
      const [recorded, other] = await claimAll(queue, 2);
      expect([recorded?.envelope.traceparent, other?.envelope.traceparent]).toEqual([traceparent, undefined]);
      expect(recorded?.claimMs).toBeGreaterThanOrEqual(0);
      await queue.reject(recorded as Delivery, "failed");
      expect((await claimOne(queue)).envelope.traceparent).toBe(traceparent);
    });

    test("a key published twice is one message", async () => {
      const { queue } = await start();
      const { receipts, depthMessages: depth } = await queue.publish([message("same"), message("same")], {
        signal: never,
      });
      const id = receipts[0]?.id as string;
      expect(receipts).toEqual([
        { id, duplicate: false, refused: false },
        { id, duplicate: true, refused: false },
      ]);
      expect(depth).toBe(1);
      const repeated = await queue.publish([message("same")], { signal: never });
      expect(repeated).toEqual({ receipts: [{ id, duplicate: true, refused: false }], depthMessages: 1 });
      expect((await queue.stats()).readyMessages).toBe(1);
    });

    test("many concurrent claims get every message exactly once", async () => {
      const { queue } = await start();
      const keys = Array.from({ length: 60 }, (_, index) => `message ${index}`);
      await publish(queue, ...keys);
      const claims = await Promise.all(Array.from({ length: 20 }, () => claimAll(queue, 3)));
      expect(keysOf(claims.flat()).sort()).toEqual(keys.sort());
    });

    test("a claim waits for a message, and returns none when its signal aborts", async () => {
      const { queue } = await start();
      const waiting = claim(queue);
      await publish(queue, "late");
      expect(keysOf(await waiting)).toEqual(["late"]);
      const aborting = new AbortController();
      const aborted = claim(queue, 1, aborting.signal);
      aborting.abort();
      expect(await aborted).toEqual([]);
    });

    test("an acknowledged message is deleted", async () => {
      const { queue, letLeasesEnd } = await start();
      await publish(queue, "one");
      expect(await queue.acknowledge([await claimOne(queue)])).toEqual([]);
      await letLeasesEnd();
      expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 0, deadMessages: 0 });
    });

    test("after its lease ends, a message is delivered again; the first delivery cannot acknowledge, extend or reject it", async () => {
      const { queue, letLeasesEnd } = await start();
      await publish(queue, "one");
      const lateDelivery = await claimOne(queue);
      await letLeasesEnd();
      const secondDelivery = await claimOne(queue);
      expect(secondDelivery).toMatchObject({ attempt: 2, envelope: { id: lateDelivery.envelope.id } });
      expect(await queue.acknowledge([lateDelivery])).toEqual([lateDelivery]);
      expect(await queue.extend([lateDelivery])).toEqual([lateDelivery]);
      await queue.reject(lateDelivery, "too late to matter");
      expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 1 });
      expect(await queue.acknowledge([secondDelivery])).toEqual([]);
    });

    test("a rejected message is delivered again immediately, and dead-lettered with the last error after its last attempt", async () => {
      const { queue, deadLetters } = await start({ maxAttempts: 2 });
      await publish(queue, "bad");
      await queue.reject(await claimOne(queue), "first");
      await queue.reject(await claimOne(queue), "second");
      expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 0, deadMessages: 1 });
      const [dead] = await deadLetters.list(10);
      expect(dead).toMatchObject({ attempts: 2, lastError: "second", envelope: { idempotencyKey: "bad" } });
    });

    test("a message that its consumer gives back without an error is ready immediately, and the delivery is not counted", async () => {
      const { queue } = await start({ maxAttempts: 1 });
      await publish(queue, "good");
      const first = await claimOne(queue);
      await queue.reject(first, undefined);
      const second = await claimOne(queue);
      expect(second).toMatchObject({ attempt: 1, envelope: { idempotencyKey: "good" } });
      await queue.reject(first, undefined);
      expect(await queue.acknowledge([first])).toEqual([first]);
      expect(await queue.acknowledge([second])).toEqual([]);
    });

    test("dead letters are listed in the order of publishing, page by page, even if one is deleted meanwhile", async () => {
      const { queue, deadLetters } = await start({ maxAttempts: 1 });
      await publish(queue, "one", "two", "three");
      // they become dead letters in the opposite order
      for (const delivery of (await claimAll(queue, 3)).reverse()) await queue.reject(delivery, "no");
      const listed = async (limit: number, afterId?: string) =>
        (await deadLetters.list(limit, afterId)).map(({ envelope }) => envelope);
      const [one, two, three] = (await listed(10)).map(({ id }) => id) as [string, string, string];
      expect((await listed(10)).map(({ idempotencyKey }) => idempotencyKey)).toEqual(["one", "two", "three"]);
      expect((await listed(1)).map(({ id }) => id)).toEqual([one]);
      await deadLetters.delete(one);
      expect((await listed(1, one)).map(({ id }) => id)).toEqual([two]);
      expect((await listed(10, two)).map(({ id }) => id)).toEqual([three]);
      expect(await listed(10, three)).toEqual([]);
    });

    test("a dead letter can be redriven or deleted only once", async () => {
      const { queue, deadLetters } = await start({ maxAttempts: 1 });
      await publish(queue, "one", "two");
      for (const delivery of await claimAll(queue, 2)) await queue.reject(delivery, "no");
      const [one, two] = (await deadLetters.list(10)).map(({ envelope }) => envelope.id) as [string, string];
      expect(await deadLetters.get(one)).toMatchObject({ envelope: { id: one }, attempts: 1 });
      expect(await deadLetters.redrive(one)).toBe(true);
      expect(await deadLetters.get(one)).toBeUndefined();
      expect(await deadLetters.redrive(one)).toBe(false);
      expect(await deadLetters.delete(two)).toBe(true);
      expect(await deadLetters.delete(two)).toBe(false);
      expect(await claimOne(queue)).toMatchObject({ attempt: 1, envelope: { id: one } });
    });

    test("of more dead letters than may be kept, the oldest are deleted, and each is reported", async () => {
      const lost: DeadLetter[] = [];
      const onLost = (letter: DeadLetter): unknown => lost.push(letter);
      const { queue, deadLetters } = await start({ maxAttempts: 1, maxDeadLetters: 2, onLost });
      await publish(queue, "one", "two", "three", "four");
      const deliveries = await claimAll(queue, 4);
      for (const delivery of deliveries.slice(0, 2)) await queue.reject(delivery, "no");
      expect(lost).toEqual([]);
      for (const delivery of deliveries.slice(2)) await queue.reject(delivery, "no");
      expect(lost).toMatchObject([
        { lastError: "no", envelope: { idempotencyKey: "one", count: 1 } },
        { lastError: "no", envelope: { idempotencyKey: "two", count: 1 } },
      ]);
      const left = (await deadLetters.list(10)).map(({ envelope }) => envelope.idempotencyKey);
      expect(left).toEqual(["three", "four"]);
      expect(await queue.stats()).toMatchObject({ readyMessages: 0, deadMessages: 2, deadCapacityMessages: 2 });
      expect(await deadLetters.redrive(lost[0]?.envelope.id as string)).toBe(false);
    });

    test("a full queue makes the publisher wait until a message is acknowledged; nothing is dropped", async () => {
      const { queue } = await start({ capacityMessages: 2 });
      await publish(queue, "one", "two");
      const waiting = queue.publish([message("three")], { signal: never });
      expect((await queue.stats()).readyMessages).toBe(2);
      await queue.acknowledge([await claimOne(queue)]);
      expect((await waiting).receipts).toMatchObject([{ duplicate: false }]);
      expect(keysOf(await claimAll(queue, 2))).toEqual(["two", "three"]);
    });

    test("a message that was published is kept, at the latest when it is acknowledged or a dead letter", async () => {
      const { queue } = await start({ maxAttempts: 1 });
      const publishing = queue.publish(["one", "two"].map(message), { signal: never, untilKept: true });
      const [one, two] = await claimAll(queue, 2);
      await queue.acknowledge([one as Delivery]);
      await queue.reject(two as Delivery, "no");
      expect((await publishing).receipts).toMatchObject([{ duplicate: false }, { duplicate: false }]);
      const again = await queue.publish(["one"].map(message), { signal: never, untilKept: true });
      expect(again.receipts).toMatchObject([{ duplicate: true }]);
    });

    test("a publisher whose wait is aborted has added nothing", async () => {
      const { queue } = await start({ capacityMessages: 1 });
      await publish(queue, "one");
      const aborting = new AbortController();
      const waiting = queue.publish([message("two")], { signal: aborting.signal });
      aborting.abort(new Error("enough"));
      expect(await failureOf(waiting)).toMatchObject({ message: "enough" });
      expect(await queue.stats()).toMatchObject({ readyMessages: 1, inFlightMessages: 0 });
    });

    test("close ends waiting claims and refuses later claims and publishes; a second close does nothing", async () => {
      const { queue } = await start({ capacityMessages: 1 });
      const claiming = claim(queue);
      await queue.close();
      await queue.close();
      expect(await claiming).toEqual([]);
      expect(await failureOf(claim(queue))).toMatchObject({ code: "queue_closed" });
      expect(await failureOf(queue.publish([message("late")], { signal: never }))).toMatchObject({
        code: "queue_closed",
      });
    });
  });
}
