import type { NeedsNewerVersion } from "../../domain/errors.ts";
import type { Position, SourceRange } from "../../domain/range.ts";

/** A message before it is published. */
export interface NewMessage {
  /** Two publishes with the same key within the queue's window add one message. */
  readonly idempotencyKey: string;
  /** 32 hexadecimal digits, the same for all messages of a batch; messages of earlier versions have another text. */
  readonly traceId: string;
  /** The span that the message's trace continues from, as the header of that name has it. Absent: the trace is not recorded. */
  readonly traceparent?: string;
  /** Version of the payload's schema: `v1`, `v1beta1`. */
  readonly schemaVersion: string;
  /** Encoding of the payload's bytes: `json+zstd`, `json`. */
  readonly encoding: string;
  /** Records in the payload. */
  readonly count: number;
  readonly payload: Uint8Array;
  /** The part of the source that the payload covers. */
  readonly source: SourceRange;
  /** True if the next message is of the same batch: both are added, or none. Absent: false. */
  readonly continues?: boolean;
}

/** The claim of a message whose source is one of many, so that messages of many sources can be published together. */
export interface MessageClaim {
  /** The key of the claim. */
  readonly ownerKey: string;
  /** The revision at which this publisher claimed the source. */
  readonly ownerRevision: string;
  /** The position that moves when the message is added, not if it is a duplicate; undefined if it stays, because more messages of the same batch follow. */
  readonly position: { readonly key: string; readonly value: string } | undefined;
  /** What the next owner of the source has to know besides the position, and is written with it. Absent: what is written stays. */
  readonly note?: { readonly key: string; readonly value: string };
}

/** Where a source's position is stored, and the proof that this publisher may update the position. */
export interface Checkpoint {
  /** The key of the position. */
  readonly key: string;
  /** The value of the key when everything up to `to` has been published. */
  readonly valueAt: (to: Position) => string;
  /** True if a duplicate does not move the position: that of a source which cannot be read again must not move back. Absent: false. */
  readonly onlyWithMessages?: boolean;
  /** The key of the claim on the range. */
  readonly ownerKey: string;
  /** The revision at which this publisher claimed the range. */
  readonly ownerRevision: string;
}

export interface PublishOptions {
  /** Ends the wait while the queue is full. */
  readonly signal: AbortSignal;
  /** Each transaction that adds messages also moves the position to the end of its last message's source range. A queue in
   *  memory ignores the checkpoint. */
  readonly checkpoint?: Checkpoint | undefined;
  /** The claim of each message, in the order of the messages. A message is added, and its position moves, only while this publisher
   *  has its claim; the others are added even if one is refused. A queue in memory ignores the claims. */
  readonly claims?: readonly (MessageClaim | undefined)[] | undefined;
  /** True to wait until the messages outlive this process: those in a queue that is lost with the process, until each is acknowledged or
   *  a dead letter. Absent: false. */
  readonly untilKept?: boolean;
}

/** What became of a message. */
export interface Receipt {
  readonly id: string;
  /** True if message `id` was already published with the same key; nothing was added. */
  readonly duplicate: boolean;
  /** True if the message's claim no longer belongs to this publisher; nothing was added. */
  readonly refused: boolean;
}

/** The result of a publish. */
export interface Published {
  /** One for each message, in order. */
  readonly receipts: readonly Receipt[];
  /** Messages in the queue afterwards, ready and in flight. */
  readonly depthMessages: number;
}

/** A message without its payload. */
export interface MessageEnvelope extends Omit<NewMessage, "payload" | "continues"> {
  /** ULID; the ids of one publisher ascend in the order of publishing. */
  readonly id: string;
  readonly topic: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** A message that one consumer has claimed, for the time of its lease. */
export interface Delivery {
  readonly envelope: MessageEnvelope;
  readonly payload: Uint8Array;
  /** 1 at the first delivery. */
  readonly attempt: number;
  /** How long it took to claim the message, milliseconds, without the wait for it. */
  readonly claimMs: number;
  /** Identifies this claim: a later claim of the same message has another token. */
  readonly claimToken: string;
}

/** A message that was dead-lettered: no delivery of it succeeded. */
export interface DeadLetter {
  readonly envelope: MessageEnvelope;
  readonly attempts: number;
  readonly lastError: string;
  /** Milliseconds since the epoch. */
  readonly deadAtMs: number;
}

/** How many dead letters a queue keeps. */
export interface DeadLetterLimit {
  /** When there are more, the oldest ones are deleted with their records, in the order of publishing. Absent: 500. */
  readonly maxDeadLetters?: number;
  /** Receives each letter that was deleted so; it must not throw. Absent: it is not reported. */
  readonly onLost?: (letter: DeadLetter) => void;
}

/** As many as messages that wait by default: with payloads of 1 MiB, the largest ones, both together are within etcd's default quota of 2 GiB. */
export const defaultMaxDeadLetters = 500;

export interface ClaimOptions {
  readonly consumerId: string;
  /** >= 1. */
  readonly maxMessages: number;
  /** Ends the wait early; the claim then resolves with no message. */
  readonly signal: AbortSignal;
}

/** The queue's fill level. */
export interface QueueStats {
  /** Messages waiting to be claimed. */
  readonly readyMessages: number;
  /** Messages claimed and not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly deadMessages: number;
  /** When there are more dead letters, the oldest ones are deleted. */
  readonly deadCapacityMessages: number;
  /** Publishers wait when readyMessages + inFlightMessages reaches this number. */
  readonly capacityMessages: number;
  /** Age of the oldest message that is ready or in flight, milliseconds; 0 if there is none. */
  readonly oldestAgeMs: number;
  /** Ready messages that consumers of this queue have left for a newer version. */
  readonly leftMessages: number;
}

/** Carries messages from streamers to collectors. A message is delivered until it is acknowledged or becomes a dead letter.
 *
 *  States of a message: READY -claim-> CLAIMED -acknowledge-> deleted.
 *  CLAIMED -reject or end of lease-> READY, or DEAD after the message has been delivered `maxAttempts` times.
 *  CLAIMED -reject without an error, or with NeedsNewerVersion-> READY (attempts start from 0).
 *  DEAD -redrive-> READY (attempts start from 0); DEAD -delete-> deleted;
 *  DEAD -the oldest of more than `maxDeadLetters`-> deleted, and reported as lost. */
export interface Queue {
  readonly deadLetters: DeadLetters;
  /** Adds messages in order; waits while the queue is full.
   *  @throws QueueClosed, RangeLost, the signal's reason if the signal aborts before all messages are added, or an error
   *          of the driver. Some messages may have been added already, those of a batch (up to 64) together: publishing all
   *          messages again with the same keys adds only the missing ones */
  publish(messages: readonly NewMessage[], options: PublishOptions): Promise<Published>;
  /** Claims ready messages for the time of a lease, in about the order of publishing; waits for at least one.
   *  @returns no message only if the signal aborted, or the queue was closed during the wait
   *  @throws QueueClosed, or an error of the driver */
  claim(options: ClaimOptions): Promise<Delivery[]>;
  /** Deletes messages. Call it only after their records are committed.
   *  @returns the deliveries with a stale claim (for example, because the lease has ended): their messages are unchanged */
  acknowledge(deliveries: readonly Delivery[]): Promise<Delivery[]>;
  /** Returns a message to the queue immediately; after `maxAttempts` deliveries, the message becomes a dead letter with
   *  `error`. If the claim is stale, nothing changes.
   *  @param error undefined if the message is not at fault, for example because its consumer stops. NeedsNewerVersion: the message
   *    returns to the queue for consumers of a newer version, and is not delivered through this queue again; a queue that no other process
   *    uses makes it a dead letter */
  reject(delivery: Delivery, error: string | NeedsNewerVersion | undefined): Promise<void>;
  /** Restarts the leases of these deliveries, unless the driver renews leases by itself.
   *  @returns the deliveries with a stale claim */
  extend(deliveries: readonly Delivery[]): Promise<Delivery[]>;
  stats(): Promise<QueueStats>;
  /** Ends every waiting call. Later calls of `publish`, `claim`, `acknowledge`, `reject` and `extend` throw QueueClosed.
   *  Idempotent. */
  close(): Promise<void>;
}

/** The dead-lettered messages, for operators. */
export interface DeadLetters {
  /** Lists dead letters in the order of publishing.
   *  @param afterId lists only dead letters after this id, which need not exist any more */
  list(limit: number, afterId?: string): Promise<DeadLetter[]>;
  /** @returns undefined if no dead letter has the id */
  get(id: string): Promise<DeadLetter | undefined>;
  /** Makes the message of a dead letter ready again, with 0 attempts. @returns false if no dead letter has the id */
  redrive(id: string): Promise<boolean>;
  /** @returns false if no dead letter has the id */
  delete(id: string): Promise<boolean>;
}
