import { afterEach, describe, expect, test } from "bun:test";
import type { LiveBatch, LiveSource } from "../../src/pipeline/source/source.ts";
import type { ClaimedSource, LiveAssignment } from "../../src/pipeline/stream/assignment/live-assignment.ts";
import { keyedByInstant, messagesOf } from "../../src/pipeline/stream/batch-messages.ts";
import type { NewMessage } from "../../src/pipeline/queue/queue.ts";
import { makeBatch } from "../../dev/make-batch.ts";

/** An assignment under test, and its driver's way to settle a batch. */
export interface OpenLiveAssignment {
  readonly assignment: LiveAssignment;
  readonly source: LiveSource;
  /** Publishes or stores a batch, as the driver's streamer would. */
  readonly settle: (claimed: ClaimedSource, batch: LiveBatch) => Promise<unknown>;
  /** Opens another assignment, as another process would; it may claim the same sources. */
  readonly openOther: () => LiveAssignment;
  readonly close: () => Promise<void>;
}

const never = new AbortController().signal;
const startMs = Date.UTC(2025, 0, 1);

/** A source that is only claimed, never read. */
export function namedSource(sourceId: string): LiveSource {
  return { sourceId, description: sourceId, read: () => ({ [Symbol.asyncIterator]: () => [].values() as never }) };
}

/** The batch of one second.
 *  @param second seconds after the first instant of 2025 */
export function batchAt(sourceId: string, second: number): LiveBatch {
  const timeMs = startMs + second * 1000;
  const batch = makeBatch([{ uuid: "GPU-a", timeMs, metrics: { temperature: second } }]);
  return { timeMs, idempotencyKey: `${sourceId}:${timeMs}`, batch };
}

/** The message that carries a live batch. */
export function liveMessage(sourceId: string, batch: LiveBatch): NewMessage {
  const [outgoing] = messagesOf(keyedByInstant(sourceId, batch), Infinity);
  return (outgoing as NonNullable<typeof outgoing>).message;
}

/** The contract of every driver of LiveAssignment. */
export function exerciseLiveAssignment(name: string, open: () => Promise<OpenLiveAssignment>): void {
  describe(`${name} keeps the contract of live assignment`, () => {
    let opened: OpenLiveAssignment | undefined;
    afterEach(async () => {
      await opened?.assignment.close();
      await opened?.close();
    });

    test("the first claim of a source reports no earlier batch", async () => {
      opened = await open();
      const claimed = await opened.assignment.claim(opened.source, never);
      expect(claimed?.afterMs).toBe(-Infinity);
      expect(claimed?.lost.aborted).toBe(false);
    });

    test("the next owner continues after the latest batch that was published", async () => {
      opened = await open();
      const { assignment, source, settle, openOther } = opened;
      const claimed = (await assignment.claim(source, never)) as ClaimedSource;
      for (const second of [1, 2, 5]) await settle(claimed, batchAt(source.sourceId, second));
      await claimed.release();
      await assignment.close();
      const later = openOther();
      expect((await later.claim(source, never))?.afterMs).toBe(startMs + 5000);
      await later.close();
    });

    test("a batch of a process whose clock was ahead does not hold back the next owner", async () => {
      opened = await open();
      const { assignment, source, settle, openOther } = opened;
      const claimed = (await assignment.claim(source, never)) as ClaimedSource;
      const aheadMs = Date.now() + 60_000;
      await settle(claimed, { ...batchAt(source.sourceId, 1), timeMs: aheadMs });
      await claimed.release();
      await assignment.close();
      const [later, beforeMs] = [openOther(), Date.now()];
      const next = await later.claim(source, never);
      expect(next).toMatchObject({ takenUntilMs: aheadMs });
      expect(next?.afterMs).toBeWithin(beforeMs, Date.now() + 1);
      await later.close();
    });

    test("a claim with an aborted signal returns nothing, and a second close does nothing", async () => {
      opened = await open();
      expect(await opened.assignment.claim(opened.source, AbortSignal.abort())).toBeUndefined();
      await opened.assignment.close();
      await opened.assignment.close();
    });
  });
}
