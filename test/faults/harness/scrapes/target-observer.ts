import { systemClock } from "../../../../src/kit/clock.ts";
import type { SourceReading } from "../../../../src/domain/reading.ts";
import type { EtcdClient } from "../../../../src/etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../../src/etcd/etcd-watch.ts";
import { prefixRange } from "../../../../src/etcd/requests.ts";
import { decodePayload } from "../../../../src/pipeline/queue/batch-codec.ts";
import { readEnvelope } from "../../../../src/pipeline/queue/etcd/envelope.ts";
import { idOf, type QueueKeys } from "../../../../src/pipeline/queue/etcd/queue-keys.ts";
import type { MessageEnvelope } from "../../../../src/pipeline/queue/queue.ts";
import { TargetKeys } from "../../../../src/pipeline/stream/assignment/target-keys.ts";

/** A message of a target, as it was published. */
export interface PublishedReading {
  readonly messageId: string;
  readonly sourceId: string;
  readonly reading: SourceReading;
  /** etcd's revision of the publication. */
  readonly revision: bigint;
}

/** When a streamer had a target, by etcd's revisions. */
interface Ownership {
  readonly streamer: string;
  readonly from: bigint;
  until: bigint | undefined;
}

export interface TargetObserverOptions {
  readonly etcd: EtcdClient;
  readonly topic: string;
  readonly queue: QueueKeys;
}

/** Observes from outside who has which target, and what is published. */
export class TargetObserver {
  /** What must not be, as it is seen. */
  readonly violations: string[] = [];
  /** In the order of their publication. */
  readonly published: PublishedReading[] = [];
  private readonly ownerships = new Map<string, Ownership[]>();
  private readonly unread = new Map<string, { envelope?: MessageEnvelope; payload?: Buffer; revision: bigint }>();
  private readonly keys: TargetKeys;
  private readonly watches: readonly EtcdWatch[];
  private blindSpots = -2;

  constructor({ etcd, topic, queue }: TargetObserverOptions) {
    this.keys = new TargetKeys(topic);
    const watch = (range: EtcdWatch["options"]["range"], onEvents: EtcdWatch["options"]["onEvents"]): EtcdWatch =>
      new EtcdWatch({
        ...{ client: etcd, clock: systemClock, range, onEvents },
        list: async () => {
          this.blindSpots += 1;
          return (await etcd.range({ ...range, count_only: true })).header.revision;
        },
        onInterrupted: () => undefined,
      });
    const messages = { key: Buffer.from(queue.messages), range_end: prefixRange(queue.payloads).range_end };
    this.watches = [
      watch(prefixRange(this.keys.watched), (events) => this.followShares(events)),
      watch(messages, (events) => this.followMessages(events, queue)),
    ];
  }

  /** The streamer that had a target at a revision. */
  ownerAt(sourceId: string, revision: bigint): string | undefined {
    return (this.ownerships.get(sourceId) ?? []).find(
      ({ from, until }) => from <= revision && (until === undefined || revision < until),
    )?.streamer;
  }

  async close(): Promise<void> {
    await Promise.all(this.watches.map((watch) => watch.close()));
    if (this.blindSpots > 0) {
      this.violations.push(`etcd compacted history ${this.blindSpots} times before the observer saw it`);
    }
  }

  private followShares(events: readonly EtcdEvent[]): void {
    for (const { type, kv } of events) {
      const about = this.keys.read(kv.key);
      if (about?.kind !== "owner") continue;
      const of = this.ownerships.get(about.id) ?? [];
      this.ownerships.set(about.id, of);
      const last = of.at(-1);
      const revision = BigInt(kv.mod_revision);
      if (type === "Delete") {
        if (last !== undefined) last.until = revision;
        continue;
      }
      if (last !== undefined && last.until === undefined) {
        this.violations.push(
          `I9: ${kv.value.toString()} took ${about.id} at ${revision}, while ${last.streamer} had it`,
        );
      }
      of.push({ streamer: kv.value.toString(), from: revision, until: undefined });
    }
  }

  private followMessages(events: readonly EtcdEvent[], queue: QueueKeys): void {
    for (const { type, kv } of events) {
      if (type !== "Put") continue;
      const id = idOf(kv.key);
      const isMessage = kv.key.toString("latin1").startsWith(queue.messages);
      const known = this.unread.get(id);
      const about = { ...known, revision: isMessage || known === undefined ? BigInt(kv.mod_revision) : known.revision };
      const { envelope = isMessage ? readEnvelope(kv.value) : undefined, payload = isMessage ? undefined : kv.value } =
        about;
      this.unread.set(id, { ...about, ...(envelope && { envelope }), ...(payload && { payload }) });
      if (envelope === undefined || payload === undefined) continue;
      this.unread.delete(id);
      const { reading } = decodePayload({ ...envelope, payload });
      if (reading === undefined) this.violations.push(`I9: the message ${id} has no reading`);
      else {
        const { sourceId } = envelope.source;
        this.published.push({ messageId: id, sourceId, reading, revision: about.revision });
      }
    }
  }
}
