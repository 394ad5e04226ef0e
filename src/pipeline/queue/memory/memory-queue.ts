import { LRUCache } from "lru-cache";
import { monotonicFactory } from "ulid";
import type { Clock } from "../../../kit/clock.ts";
import { NeedsNewerVersion, QueueClosed } from "../../../domain/errors.ts";
import { Fifo } from "../../../kit/fifo.ts";
import {
  type ClaimOptions,
  type DeadLetter,
  type DeadLetterLimit,
  type DeadLetters,
  defaultMaxDeadLetters,
  type Delivery,
  type MessageEnvelope,
  type NewMessage,
  type Published,
  type PublishOptions,
  type Queue,
  type Receipt,
  type QueueStats,
} from "../queue.ts";
import { Waiters } from "./waiters.ts";

export interface MemoryQueueOptions extends DeadLetterLimit {
  readonly topic: string;
  readonly clock: Clock;
  /** Publishers wait while at least this many messages are ready or claimed. */
  readonly capacityMessages: number;
  readonly leaseSeconds: number;
  readonly maxAttempts: number;
}

/** A published key is remembered for at most this time; later, only the store recognises duplicates. */
const idempotencyWindowMs = 3_600_000;
/** The maximum number of published keys that are remembered. */
const maxIdempotencyKeys = 100_000;

interface Entry {
  readonly envelope: MessageEnvelope;
  readonly payload: Uint8Array;
  attempts: number;
  /** Undefined unless CLAIMED. */
  claim: { readonly token: string; expiresAtMs: number } | undefined;
}

/** The queue of a single process: fast, and lost with the process. The states are in queue.ts. */
export class MemoryQueue implements Queue, DeadLetters {
  readonly deadLetters: DeadLetters = this;
  private readonly newId = monotonicFactory();
  /** The message id of each published idempotency key. */
  private readonly published: LRUCache<string, string>;
  /** Every READY or CLAIMED message, in the order in which the messages were published or redriven. */
  private readonly entries = new Map<string, Entry>();
  /** Ids of the ready messages. Returned ids are claimed before fresh ones. */
  private readonly fresh = new Fifo<string>();
  private readonly returned = new Fifo<string>();
  private readonly claimed = new Map<string, Entry>();
  private readonly deadById = new Map<string, { readonly entry: Entry; readonly letter: DeadLetter }>();
  private readonly waitingClaims = new Waiters();
  private readonly waitingPublishes = new Waiters();
  private readonly waitingForSettled = new Waiters();
  private readonly closing = new AbortController();
  private expiryWatch: Promise<void> | undefined;
  private claims = 0;

  constructor(private readonly options: MemoryQueueOptions) {
    this.published = new LRUCache({
      max: maxIdempotencyKeys,
      ttl: idempotencyWindowMs,
      ttlResolution: 0,
      perf: { now: () => options.clock.nowMs() },
    });
  }

  async publish(messages: readonly NewMessage[], { signal, untilKept = false }: PublishOptions): Promise<Published> {
    const receipts: Published["receipts"][number][] = [];
    for (const message of messages) receipts.push(await this.publishOne(message, signal));
    const isLeft = (id: string): boolean => this.entries.has(id) && !this.closing.signal.aborted;
    if (untilKept) for (const { id } of receipts) await this.waitingForSettled.waitWhile(() => isLeft(id), signal);
    if (untilKept) this.refuseWhenClosed();
    return { receipts, depthMessages: this.entries.size };
  }

  async claim({ maxMessages, signal }: ClaimOptions): Promise<Delivery[]> {
    this.refuseWhenClosed();
    for (;;) {
      if (signal.aborted || this.closing.signal.aborted) return [];
      const deliveries = this.takeReady(maxMessages);
      if (deliveries.length > 0) {
        if (this.readyCount > 0) this.waitingClaims.wakeNext();
        return deliveries;
      }
      await this.waitingClaims.wait(signal);
    }
  }

  acknowledge(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    return this.eachOwned(deliveries, (entry) => this.remove(entry));
  }

  async reject(delivery: Delivery, error: string | NeedsNewerVersion | undefined): Promise<void> {
    await this.eachOwned([delivery], (entry) => {
      if (error instanceof NeedsNewerVersion) return this.deadLetter(entry, error.message);
      if (error !== undefined) return this.returnOrDeadLetter(entry, error);
      entry.attempts = 0;
      this.makeReady(entry);
    });
  }

  extend(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    return this.eachOwned(deliveries, (_, claim) => {
      claim.expiresAtMs = this.leaseEndMs();
    });
  }

  stats(): Promise<QueueStats> {
    const nowMs = this.options.clock.nowMs();
    let oldestMs = nowMs;
    for (const { envelope } of this.entries.values()) oldestMs = Math.min(oldestMs, envelope.createdAtMs);
    return Promise.resolve({
      readyMessages: this.readyCount,
      inFlightMessages: this.claimed.size,
      deadMessages: this.deadById.size,
      deadCapacityMessages: this.maxDeadLetters,
      capacityMessages: this.options.capacityMessages,
      oldestAgeMs: nowMs - oldestMs,
      leftMessages: 0,
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.waitingClaims.wakeAll();
    this.waitingPublishes.wakeAll();
    this.waitingForSettled.wakeAll();
    await this.expiryWatch;
  }

  list(limit: number, afterId = ""): Promise<DeadLetter[]> {
    const letters = [...this.deadById.values()].map(({ letter }) => letter);
    const following = letters.filter(({ envelope }) => envelope.id > afterId);
    return Promise.resolve(following.sort((a, b) => (a.envelope.id < b.envelope.id ? -1 : 1)).slice(0, limit));
  }

  get(id: string): Promise<DeadLetter | undefined> {
    return Promise.resolve(this.deadById.get(id)?.letter);
  }

  redrive(id: string): Promise<boolean> {
    const dead = this.deadById.get(id);
    if (dead === undefined) return Promise.resolve(false);
    this.deadById.delete(id);
    dead.entry.attempts = 0;
    this.entries.set(id, dead.entry);
    this.makeReady(dead.entry);
    return Promise.resolve(true);
  }

  delete(id: string): Promise<boolean> {
    return Promise.resolve(this.deadById.delete(id));
  }

  private async publishOne(message: NewMessage, signal: AbortSignal): Promise<Receipt> {
    for (;;) {
      this.refuseWhenClosed();
      const publishedAs = this.published.get(message.idempotencyKey);
      if (publishedAs !== undefined) return { id: publishedAs, duplicate: true, refused: false };
      signal.throwIfAborted();
      if (this.entries.size < this.options.capacityMessages) break;
      await this.waitingPublishes.wait(signal);
    }
    const { payload, ...rest } = message;
    const createdAtMs = this.options.clock.nowMs();
    const id = this.newId(createdAtMs);
    const envelope: MessageEnvelope = { ...rest, id, topic: this.options.topic, createdAtMs };
    this.entries.set(id, { envelope, payload, attempts: 0, claim: undefined });
    this.published.set(message.idempotencyKey, id);
    this.fresh.push(id);
    this.waitingClaims.wakeNext();
    return { id, duplicate: false, refused: false };
  }

  private get maxDeadLetters(): number {
    return this.options.maxDeadLetters ?? defaultMaxDeadLetters;
  }

  private get readyCount(): number {
    return this.entries.size - this.claimed.size;
  }

  private takeReady(maxMessages: number): Delivery[] {
    const deliveries: Delivery[] = [];
    while (deliveries.length < maxMessages) {
      const id = this.returned.shift() ?? this.fresh.shift();
      if (id === undefined) break;
      const entry = this.entries.get(id);
      if (entry !== undefined && entry.claim === undefined) deliveries.push(this.lease(entry));
    }
    return deliveries;
  }

  private lease(entry: Entry): Delivery {
    this.claims += 1;
    entry.attempts += 1;
    entry.claim = { token: String(this.claims), expiresAtMs: this.leaseEndMs() };
    this.claimed.set(entry.envelope.id, entry);
    this.expiryWatch ??= this.watchExpiry();
    const { envelope, payload, attempts } = entry;
    return { envelope, payload, attempt: attempts, claimMs: 0, claimToken: entry.claim.token };
  }

  private leaseEndMs(): number {
    return this.options.clock.nowMs() + this.options.leaseSeconds * 1000;
  }

  /** Waits for the end of each lease; resolves when no message is claimed, or when the queue is closed. */
  private async watchExpiry(): Promise<void> {
    while (this.claimed.size > 0 && !this.closing.signal.aborted) {
      let nextEndMs = Infinity;
      for (const { claim } of this.claimed.values()) nextEndMs = Math.min(nextEndMs, claim?.expiresAtMs ?? Infinity);
      await this.options.clock.sleep(Math.max(1, nextEndMs - this.options.clock.nowMs()), this.closing.signal);
      if (this.closing.signal.aborted) break;
      this.endLeases();
    }
    this.expiryWatch = undefined;
  }

  private endLeases(): void {
    const nowMs = this.options.clock.nowMs();
    for (const entry of [...this.claimed.values()]) {
      if (entry.claim !== undefined && entry.claim.expiresAtMs <= nowMs) {
        this.returnOrDeadLetter(entry, `not acknowledged within the lease of ${this.options.leaseSeconds} s`);
      }
    }
  }

  /** CLAIMED -> READY, or DEAD after the last attempt. */
  private returnOrDeadLetter(entry: Entry, error: string): void {
    if (entry.attempts >= this.options.maxAttempts) this.deadLetter(entry, error);
    else this.makeReady(entry);
  }

  private deadLetter(entry: Entry, lastError: string): void {
    const { envelope, attempts } = entry;
    this.remove(entry);
    const letter = { envelope, attempts, lastError, deadAtMs: this.options.clock.nowMs() };
    this.deadById.set(envelope.id, { entry, letter });
    this.deleteSurplus();
  }

  /** DEAD -> deleted, for the oldest of too many. */
  private deleteSurplus(): void {
    while (this.deadById.size > this.maxDeadLetters) {
      const oldest = [...this.deadById.values()].reduce((a, b) =>
        b.letter.envelope.id < a.letter.envelope.id ? b : a,
      );
      this.deadById.delete(oldest.letter.envelope.id);
      this.options.onLost?.(oldest.letter);
    }
  }

  private makeReady(entry: Entry): void {
    entry.claim = undefined;
    this.claimed.delete(entry.envelope.id);
    this.returned.push(entry.envelope.id);
    this.waitingClaims.wakeNext();
  }

  private remove(entry: Entry): void {
    entry.claim = undefined;
    this.claimed.delete(entry.envelope.id);
    this.entries.delete(entry.envelope.id);
    this.waitingPublishes.wakeNext();
    this.waitingForSettled.wakeAll();
  }

  /** Applies `action` to each message whose claim is still valid.
   *  @returns the deliveries with a stale claim
   *  @throws QueueClosed */
  private eachOwned(
    deliveries: readonly Delivery[],
    action: (entry: Entry, claim: NonNullable<Entry["claim"]>) => void,
  ): Promise<Delivery[]> {
    if (this.closing.signal.aborted) return Promise.reject(closedError());
    const stale = deliveries.filter((delivery) => {
      const entry = this.claimed.get(delivery.envelope.id);
      if (entry?.claim === undefined || entry.claim.token !== delivery.claimToken) return true;
      action(entry, entry.claim);
      return false;
    });
    return Promise.resolve(stale);
  }

  private refuseWhenClosed(): void {
    if (this.closing.signal.aborted) throw closedError();
  }
}

function closedError(): QueueClosed {
  return new QueueClosed("the queue in memory was closed");
}
