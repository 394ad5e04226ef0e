import type { RecordBatch } from "../../../domain/batch.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import { type Clock, systemClock } from "../../../kit/clock.ts";
import type { GpuState, HotChanges, HotFollower, HotTier, NewestRecord } from "../hot-tier.ts";
import { mergeArrived } from "../merge-records.ts";
import { mergeStates } from "../merge-state.ts";
import { updatesOf } from "../newest-of-batch.ts";

export interface MemoryHotTierOptions {
  /** Called at each write with the number of the batch's records that followers do not receive: a newer record of the same GPU
   *  supersedes them, or they add nothing to the known record of the same instant. */
  readonly onCoalesced: (records: number) => void;
  /** Says which records are of the future. Absent: the system's. */
  readonly clock?: Clock;
}

/** The hot tier of a process that both collects and serves. */
export class MemoryHotTier implements HotTier {
  private readonly gpus = new Map<string, GpuState>();
  private readonly records = new Map<string, NewestRecord>();
  private readonly followers = new Set<HotFollower>();

  constructor(private readonly options: MemoryHotTierOptions) {}

  write(batch: RecordBatch, contested: readonly ContestedGpu[] = [], traceparent?: string): Promise<void> {
    const { clock = systemClock } = this.options;
    const gpus: GpuState[] = [];
    const records: NewestRecord[] = [];
    for (const { state, record } of updatesOf(batch, contested, traceparent)) {
      const { uuid } = record;
      const [existingState, existingRecord] = [this.gpus.get(uuid), this.records.get(uuid)];
      const mergedState = mergeStates(existingState, state);
      const mergedRecord = existingRecord === undefined ? record : mergeArrived(existingRecord, record, clock.nowMs());
      this.gpus.set(uuid, mergedState);
      this.records.set(uuid, withoutItsWrite(mergedRecord));
      if (mergedState !== existingState) gpus.push(mergedState);
      if (mergedRecord !== existingRecord) records.push(mergedRecord);
    }
    this.options.onCoalesced(batch.recordCount - records.length);
    this.notify({ gpus, records });
    return Promise.resolve();
  }

  follow(follower: HotFollower): () => Promise<void> {
    this.followers.add(follower);
    follower.onChanges({ gpus: [...this.gpus.values()], records: [...this.records.values()] });
    follower.onFollowing(true);
    return () => {
      this.followers.delete(follower);
      return Promise.resolve();
    };
  }

  private notify(changes: HotChanges): void {
    if (changes.gpus.length + changes.records.length === 0) return;
    for (const follower of this.followers) follower.onChanges(changes);
  }
}

/** Followers that come later, and records that are merged with this one, do not continue its trace, nor do they miss what its write
 *  has coalesced. */
function withoutItsWrite(record: NewestRecord): NewestRecord {
  if (record.traceparent === undefined && record.coalesced === undefined) return record;
  const { traceparent: _, coalesced: __, ...others } = record;
  return others;
}
