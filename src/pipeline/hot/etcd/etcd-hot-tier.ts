import type { RecordBatch } from "../../../domain/batch.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { EtcdRefused } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { GroupCommit } from "../../../kit/group-commit.ts";
import { ExpiringKeys } from "./expiring-keys.ts";
import { Flusher } from "./flusher.ts";
import { HotKeys } from "./hot-keys.ts";
import { watchHotTier } from "./hot-watch.ts";
import type { HotFollower, HotTier } from "../hot-tier.ts";
import { coalescedInto, mergeRecords } from "../merge-records.ts";
import { mergeStates } from "../merge-state.ts";
import { type GpuUpdate, updatesOf } from "../newest-of-batch.ts";

export interface EtcdHotTierOptions {
  readonly client: EtcdClient;
  /** The pipeline's topic: pipelines that share an etcd have a hot tier each. */
  readonly topic: string;
  readonly clock: Clock;
  /** The number of batches that this process may write at a time without waiting. When so many wait, a pause between two flushes ends
   *  early; if absent, never. */
  readonly writers?: number;
  /** The records of a flush stay in etcd at least this long, if they fit in `windowMaxBytes`. */
  readonly windowSeconds: number;
  /** The maximum number of bytes of this process's records in etcd: if there are more, the oldest records are deleted early. */
  readonly windowMaxBytes?: number;
  /** Called after each completed flush with the number of its records that were not written on their own: another record of
   *  the same GPU superseded them, or they were merged with a record of the same instant. */
  readonly onCoalesced: (records: number) => void;
  /** Called when a record is too large for the hot tier, or when etcd permanently refuses a flush; the store has the
   *  records. */
  readonly onRefused: (reason: Error) => void;
}

/** 1/32 of etcd's default quota, to leave room for the queue, for etcd's history and for more collectors. */
const defaultWindowMaxBytes = 64 * 1024 * 1024;
/** The pause after a flush is this many times as long as the flush, at most `pauseMaxMs`: short flushes then take about a
 *  tenth of the time and do not slow down storing, and a gateway still shows changes within a fraction of a second. */
const pauseFactor = 9;
const pauseMaxMs = 250;
/** The maximum number of batches in a flush: more than all workers of a collector can submit at the same time. */
const maxBatches = 1024;

interface PendingWrite {
  readonly updates: readonly GpuUpdate[];
  /** The number of records in the batch. */
  readonly recordCount: number;
}

/** The hot tier in etcd, shared by any number of processes; the keys are in docs/hot-tier.md.
 *
 *  GATHERING -first batch-> FLUSHING -flushed-> PAUSING -pause ended-> GATHERING. Batches that arrive during a flush or a pause
 *  form the next flush, which writes only the newest record of each GPU. So the cost depends on the number of hosts, not on
 *  the rate of records. */
export class EtcdHotTier implements HotTier {
  private readonly flusher: Flusher;
  private readonly flushes: GroupCommit<PendingWrite, undefined>;
  private pauseMs = 0;

  constructor(private readonly options: EtcdHotTierOptions) {
    const { windowMaxBytes = defaultWindowMaxBytes, writers = Infinity } = options;
    this.flusher = new Flusher({ ...options, expiringKeys: new ExpiringKeys({ ...options, windowMaxBytes }) });
    this.flushes = new GroupCommit((writes) => this.flush(writes), maxBatches, {
      pause: (enough) => options.clock.sleep(this.pauseMs, enough),
      enoughItems: writers,
    });
  }

  async write(batch: RecordBatch, contested: readonly ContestedGpu[] = [], traceparent?: string): Promise<void> {
    if (batch.recordCount === 0) return;
    await this.flushes.submit({ updates: updatesOf(batch, contested, traceparent), recordCount: batch.recordCount });
  }

  follow(follower: HotFollower): () => Promise<void> {
    const { client, clock, topic } = this.options;
    const watch = watchHotTier({ client, clock, keys: new HotKeys(topic) }, follower);
    return () => watch.close();
  }

  private async flush(writes: readonly PendingWrite[]): Promise<undefined[]> {
    const updates = new Map<string, GpuUpdate>();
    for (const incoming of writes.flatMap((write) => write.updates)) {
      const existing = updates.get(incoming.record.uuid);
      updates.set(incoming.record.uuid, existing === undefined ? incoming : merge(existing, incoming));
    }
    const elapsedMs = stopwatch();
    const superseded = await this.flusher.flush([...updates.values()]).catch((error: unknown) => {
      if (!(error instanceof EtcdRefused)) throw error;
      this.options.onRefused(error);
      return 0;
    });
    this.pauseMs = Math.min(pauseMaxMs, elapsedMs() * pauseFactor);
    const records = writes.reduce((sum, write) => sum + write.recordCount, 0);
    this.options.onCoalesced(records - updates.size + superseded);
    return writes.map(() => undefined);
  }
}

function merge(existing: GpuUpdate, incoming: GpuUpdate): GpuUpdate {
  const state = mergeStates(existing.state, incoming.state);
  const records = [existing.record, incoming.record] as const;
  return { state, record: coalescedInto(mergeRecords(...records), records) };
}
