import type { Position, SourceRange } from "../../domain/range.ts";

/** What a publisher gives. */
export interface NewMessage {
  /** Two publishes with the same key within the queue's window are one message. */
  readonly idempotencyKey: string;
  readonly traceId: string;
  /** Version of the payload's schema: `v1`, `v1beta1`. */
  readonly schemaVersion: string;
  /** How the payload's bytes are written, e.g. `columnar-json+zstd`. */
  readonly encoding: string;
  /** Records in the payload. */
  readonly count: number;
  readonly payload: Uint8Array;
  /** The stretch of the source that the payload covers. */
  readonly source: SourceRange;
}

/** Where a source's position is kept, and what proves that this publisher may move it. */
export interface Checkpoint {
  /** Key of the position. */
  readonly key: string;
  /** What stands there once `to` is reached. */
  readonly valueAt: (to: Position) => string;
  /** Key of the claim on the range, and the revision that this publisher's claim was made at. */
  readonly ownerKey: string;
  readonly ownerRevision: string;
}

export interface PublishOptions {
  /** Ends a wait for room. */
  readonly signal: AbortSignal;
  /** Moved to the end of the last message's stretch in the transaction that adds it; for queues that last. */
  readonly checkpoint?: Checkpoint | undefined;
}

/** What became of each message given, in their order, and of the queue. */
export interface Published {
  /** `duplicate`: the key was published before, as `id`; then nothing was added. */
  readonly receipts: readonly { readonly id: string; readonly duplicate: boolean }[];
  /** Messages in the queue after it, ready and in flight. */
  readonly depthMessages: number;
}

/** A message without its payload: readable without decoding anything. */
export interface MessageEnvelope extends Omit<NewMessage, "payload"> {
  /** ULID; ids rise in the order of publishing. */
  readonly id: string;
  readonly topic: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** A message handed to one consumer for the time of its lease. */
export interface Delivery {
  readonly envelope: MessageEnvelope;
  readonly payload: Uint8Array;
  /** 1 at the first delivery. */
  readonly attempt: number;
  /** Identifies this claim: a later claim of the same message has another. */
  readonly claimToken: string;
}

/** A message that was given up. */
export interface DeadLetter {
  readonly envelope: MessageEnvelope;
  readonly attempts: number;
  readonly lastError: string;
  /** Milliseconds since the epoch. */
  readonly deadAtMs: number;
}

export interface ClaimOptions {
  readonly consumerId: string;
  /** >= 1. */
  readonly maxMessages: number;
  /** Ends the wait early; the claim then answers with what it has. */
  readonly signal: AbortSignal;
}

/** How full the queue is. */
export interface QueueStats {
  /** Messages waiting to be claimed. */
  readonly readyMessages: number;
  /** Messages claimed and not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly deadMessages: number;
  /** ready + inFlight may reach this; publishers then wait. */
  readonly capacityMessages: number;
  /** Age of the oldest message that is not acknowledged, milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number;
}

/** Carries messages from streamers to collectors, each until it is acknowledged.
 *
 *  States of a message: READY -claim-> CLAIMED -acknowledge-> gone.
 *  CLAIMED -reject or end of lease-> READY, or DEAD once it was delivered `maxAttempts` times.
 *  DEAD -redrive-> READY (attempts start over); DEAD -delete-> gone. */
export interface Queue {
  readonly deadLetters: DeadLetters;
  /** Adds messages in their order, many to a transaction; waits while the queue is full.
   *  @throws QueueClosed, RangeLost, or a retryable error of the driver: then any number of them, from the first on, may
   *          have been added, and publishing all of them again with the same keys adds the others;
   *          the signal's reason when it aborts while waiting (then nothing further was added) */
  publish(messages: readonly NewMessage[], options: PublishOptions): Promise<Published>;
  /** Claims the oldest ready messages for the lease's time; waits until there is at least one.
   *  @returns oldest first; empty only when the signal aborted or the queue was closed */
  claim(options: ClaimOptions): Promise<Delivery[]>;
  /** Removes messages for good. Call only after their records are committed.
   *  @returns the deliveries whose claim was no longer theirs (lease ended, taken over): left alone, counted */
  acknowledge(deliveries: readonly Delivery[]): Promise<Delivery[]>;
  /** Gives a message back at once; after `maxAttempts` deliveries it moves to the dead letters with `error`. */
  reject(delivery: Delivery, error: string): Promise<void>;
  /** Starts the lease of slow work anew.
   *  @returns the deliveries whose claim was no longer theirs */
  extend(deliveries: readonly Delivery[]): Promise<Delivery[]>;
  stats(): Promise<QueueStats>;
  /** Wakes every waiting call and refuses later ones. Idempotent. */
  close(): Promise<void>;
}

/** The messages that were given up, for the operator. */
export interface DeadLetters {
  /** In the order of publishing. @param afterId only those behind it, whether it is still there or not */
  list(limit: number, afterId?: string): Promise<DeadLetter[]>;
  /** @returns undefined when there is none of that id */
  get(id: string): Promise<DeadLetter | undefined>;
  /** Makes a dead message ready again, attempts from 0. @returns false when there is none of that id */
  redrive(id: string): Promise<boolean>;
  /** @returns false when there is none of that id */
  delete(id: string): Promise<boolean>;
}
