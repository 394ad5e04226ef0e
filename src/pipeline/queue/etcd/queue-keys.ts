import { decodeTime } from "ulid";
import { leaseSignKeys } from "../../../etcd/lease-signs.ts";
import { prefixRange } from "../../../etcd/requests.ts";

/** The keys of a topic in etcd; docs/ETCD_MESSAGE_QUEUE.md explains them. */
export class QueueKeys {
  readonly messages: string;
  readonly payloads: string;
  readonly claims: string;
  readonly attempts: string;
  readonly dead: string;
  /** The key of the id that was published last. */
  readonly latest: string;
  /** The key of the store that the messages go to. */
  readonly store: string;
  /** The key of a random text, which is another one after etcd has lost what it had. */
  readonly history: string;
  /** Before the id of a lease: the sign of the process that has the lease. */
  readonly signs: string;
  private readonly root: string;

  constructor(topic: string) {
    this.root = `/queue/${encodeURIComponent(topic)}/`;
    this.messages = `${this.root}messages/`;
    this.payloads = `${this.root}payloads/`;
    this.claims = `${this.root}claims/`;
    this.attempts = `${this.root}attempts/`;
    this.dead = `${this.root}dead/`;
    this.latest = `${this.root}published`;
    this.store = `${this.root}store`;
    this.history = `${this.root}history`;
    this.signs = leaseSignKeys(topic).signs;
  }

  /** One range of keys, from claims to messages, so that one watch receives claims and messages in order. The range includes
   *  the keys of dead letters and the idempotency keys, but not the keys of payloads and attempts. */
  get watched(): { key: Buffer; range_end: Buffer } {
    return { key: Buffer.from(this.claims), range_end: prefixRange(this.messages).range_end };
  }

  message(id: string): string {
    return this.messages + id;
  }
  payload(id: string): string {
    return this.payloads + id;
  }
  claim(id: string): string {
    return this.claims + id;
  }
  attempt(id: string): string {
    return this.attempts + id;
  }
  deadLetter(id: string): string {
    return this.dead + id;
  }
  idempotency(key: string): string {
    return `${this.root}idempotency/${encodeURIComponent(key)}`;
  }
}

/** @returns the id in a key: the part after the last slash */
export function idOf(key: Buffer): string {
  return key.toString("latin1", key.lastIndexOf(0x2f) + 1);
}

/** @returns the instant at which an id was created, milliseconds since the epoch */
export function idTimeMs(id: string): number {
  return decodeTime(id);
}
