import { until } from "../../../dev/until.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { gapsIn, type Range } from "../../../src/domain/range.ts";
import type { PostgresClient } from "../../../src/db/postgres-client.ts";
import type { EtcdClient } from "../../../src/etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../src/etcd/etcd-watch.ts";
import { prefixRange } from "../../../src/etcd/requests.ts";
import { readDeadLetter, readEnvelope } from "../../../src/pipeline/queue/etcd/envelope.ts";
import { idOf, type QueueKeys } from "../../../src/pipeline/queue/etcd/queue-keys.ts";
import { checkpointsPrefix } from "../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { readRange } from "../../../src/pipeline/stream/assignment/stored-plan.ts";
import { gpuHoursInBoth } from "../../support/settled.ts";
import { watchedSource } from "./ledger.ts";

export interface ObserverOptions {
  readonly etcd: EtcdClient;
  readonly database: PostgresClient;
  readonly queue: QueueKeys;
  readonly topic: string;
}

/** When the run ends, the watch may take this long to catch up: the etcd member that it reads may just have been reconnected. */
const catchUpMs = 20_000;
const observeEveryMs = 500;
/** History that is to be settled at once is settled within this time. */
const settledMs = 30_000;

/** Observes a run from outside: watches every change of the queue in etcd, and regularly compares the published positions with
 *  the stored ones. */
export class Observer {
  /** Violations of the invariants I3, I4 and I8 (docs/ARCHITECTURE.md). */
  readonly violations: string[] = [];
  /** The number of completed observations of I4. */
  observations = 0;
  /** The number of times that I8 was observed while there were blocks. */
  settledObservations = 0;
  /** Message -> the revision that created the claim under which the message was removed. */
  private readonly removedUnder = new Map<string, string>();
  private readonly acknowledged: string[] = [];
  private readonly lost: Range[] = [];
  private readonly watch: EtcdWatch;
  /** The number of times that the watch had to list again, because history was compacted while the watch was disconnected.
   *  Starts at -1, because the first listing does not count. */
  private blindSpots = -1;
  /** The number of times that a fault has taken history away. */
  private removals = 0;

  constructor(private readonly options: ObserverOptions) {
    const { etcd, queue } = options;
    this.watch = new EtcdWatch({
      client: etcd,
      clock: systemClock,
      range: queue.watched,
      withPrevious: true,
      list: async () => {
        this.blindSpots += 1;
        return (await etcd.range({ ...queue.watched, count_only: true })).header.revision;
      },
      onEvents: (events) => this.follow(events),
      onInterrupted: () => undefined,
    });
  }

  /** Records that a collector has logged an acknowledgement under a claim (`id@revision`). */
  recordAcknowledged(claim: string): void {
    this.acknowledged.push(claim);
  }

  /** Records ranges that a failover has lost. */
  recordLost(ranges: readonly Range[]): void {
    this.lost.push(...ranges);
  }

  /** Records that a fault has compacted etcd's history or removed its data: changes that the watch had not received are not seen. */
  recordHistoryRemoved(): void {
    this.removals += 1;
  }

  /** Waits until history is settled, or waits no longer: what was observed is for the judge. */
  async untilSettled(): Promise<void> {
    await until(() => this.settledObservations > 0, { timeoutMs: settledMs, everyMs: 200 }).catch(() => undefined);
  }

  /** Observes I4 about twice a second. @returns a function that ends the observations, and resolves after the last one */
  startObserving(): () => Promise<void> {
    const halt = new AbortController();
    const observing = (async () => {
      while (!halt.signal.aborted) {
        // an observation fails while etcd or the database is down
        await this.observe().catch(() => undefined);
        await this.observeHours().catch(() => undefined);
        await systemClock.sleep(observeEveryMs, halt.signal);
      }
    })();
    return async () => {
      halt.abort();
      await observing;
    };
  }

  /** I8: no hour of a GPU is both in rows and in blocks. That none is in neither follows from I1. */
  private async observeHours(): Promise<void> {
    const { database } = this.options;
    const inBoth = await gpuHoursInBoth(database);
    if (inBoth > 0) this.violations.push(`I8: ${inBoth} hours of GPUs are in rows and in blocks`);
    const [settled] = await database.query<{ exists: boolean }>("select exists (select from blocks) as exists");
    if (settled?.exists === true) this.settledObservations += 1;
  }

  /** I4: every published position is stored, dead or in flight, or was stored by a database that is lost. The keys of etcd are
   *  read at one revision, and the database afterwards: messages that left the queue in between must be stored. */
  private async observe(): Promise<void> {
    const { etcd, queue, topic, database } = this.options;
    const checkpoints = checkpointsPrefix(topic);
    const { responses } = await etcd.txn({
      success: [checkpoints, queue.messages, queue.dead].map((prefix) => ({ request_range: prefixRange(prefix) })),
    });
    const [positions, messages, dead] = responses.map(({ response_range }) => response_range.kvs);
    const queued = [
      ...(messages ?? []).flatMap(({ value }) => readEnvelope(value)?.source ?? []),
      ...(dead ?? []).map(({ key, value }) => readDeadLetter(idOf(key), value).envelope.source),
    ];
    const stored = await database.query<{ source: string; from: number; to: number }>(
      `select source_id as source, from_offset::float8 as "from", to_offset::float8 as "to" from ingested_messages
       where source_id <> $1`,
      [watchedSource],
    );
    const accounted = Map.groupBy(
      [
        ...stored.map(({ source, from, to }) => ({
          ...{ sourceId: source, from: { offset: from, line: 0 }, to: { offset: to, line: 0 } },
        })),
        ...queued,
      ],
      ({ sourceId }) => sourceId,
    );
    for (const { key, value } of positions ?? []) {
      const [source = "", kind] = key.toString().slice(checkpoints.length).split("/");
      if (kind !== "ranges") continue;
      const { from, at } = readRange(value);
      const ranges = [...(accounted.get(decodeURIComponent(source)) ?? []), ...this.lost];
      const [missing] = gapsIn(
        { from, to: at },
        ranges.sort((a, b) => a.from.offset - b.from.offset),
      );
      if (missing !== undefined) {
        this.violations.push(
          `I4: ${source} is published up to ${at.offset}, but byte ${missing.from.offset} is neither stored nor queued`,
        );
      }
    }
    this.observations += 1;
  }

  /** Gives the watch up to `catchUpMs` to catch up, stops it, and adds further violations of I3. */
  async close(): Promise<void> {
    // the loop below reports acknowledged messages whose removal was not seen
    await until(() => this.hasSeenAll(), { timeoutMs: catchUpMs }).catch(() => undefined);
    await this.watch.close();
    for (const claim of this.acknowledged) {
      const { id, revision } = readClaim(claim);
      const removed = this.removedUnder.get(id);
      if (removed === revision || (removed === undefined && this.removals > 0)) continue;
      const seen = removed === undefined ? "its removal was not seen" : `it was removed under claim ${removed}`;
      this.violations.push(`I3: ${id} was acknowledged under claim ${revision}, but ${seen}`);
    }
    if (this.blindSpots > this.removals)
      this.violations.push(`I3: etcd compacted history ${this.blindSpots} times before the observer saw it`);
  }

  private hasSeenAll(): boolean {
    return this.acknowledged.every((claim) => this.removedUnder.has(readClaim(claim).id));
  }

  private follow(events: readonly EtcdEvent[]): void {
    const { queue } = this.options;
    const claimOf = new Map<string, string>();
    for (const { type, kv, prev_kv } of events) {
      const key = kv.key.toString("latin1");
      if (type === "Delete" && key.startsWith(queue.claims)) {
        claimOf.set(`${kv.mod_revision}/${idOf(kv.key)}`, prev_kv.create_revision);
      }
    }
    for (const { type, kv } of events) {
      const key = kv.key.toString("latin1");
      if (type !== "Delete" || !key.startsWith(queue.messages)) continue;
      const id = idOf(kv.key);
      // one transaction deletes claim and message, so both deletions have the same revision
      const claim = claimOf.get(`${kv.mod_revision}/${id}`);
      if (claim !== undefined) this.removedUnder.set(id, claim);
      else this.violations.push(`I3: ${id} was removed at revision ${kv.mod_revision} without a claim`);
    }
  }
}

function readClaim(claim: string): { readonly id: string; readonly revision: string } {
  const [id = "", revision = ""] = claim.split("@");
  return { id, revision };
}
