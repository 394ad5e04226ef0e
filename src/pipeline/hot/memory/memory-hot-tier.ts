import type { RecordBatch } from "../../../domain/batch.ts";
import type { GpuState, HotChanges, HotFollower, HotTier, NewestRecord } from "../hot-tier.ts";
import { mergeRecords, mergeStates } from "../merge-state.ts";
import { newestOfBatch } from "../newest-of-batch.ts";

export interface MemoryHotTierOptions {
  /** Told how many records a newer one of the same GPU stood in for. */
  readonly onCoalesced: (records: number) => void;
}

/** The hot tier of a process that collects and shows by itself. */
export class MemoryHotTier implements HotTier {
  private readonly gpus = new Map<string, GpuState>();
  private readonly records = new Map<string, NewestRecord>();
  private readonly followers = new Set<HotFollower>();

  constructor(private readonly options: MemoryHotTierOptions) {}

  write(batch: RecordBatch): Promise<void> {
    const gpus: GpuState[] = [];
    const records: NewestRecord[] = [];
    for (const { state, record } of newestOfBatch(batch)) {
      const { uuid } = record;
      const [knownState, knownRecord] = [this.gpus.get(uuid), this.records.get(uuid)];
      const joinedState = mergeStates(knownState, state);
      const joinedRecord = knownRecord === undefined ? record : mergeRecords(knownRecord, record);
      this.gpus.set(uuid, joinedState);
      this.records.set(uuid, joinedRecord);
      if (joinedState !== knownState) gpus.push(joinedState);
      if (joinedRecord !== knownRecord) records.push(joinedRecord);
    }
    this.options.onCoalesced(batch.recordCount - records.length);
    this.tell({ gpus, records });
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

  private tell(changes: HotChanges): void {
    if (changes.gpus.length + changes.records.length === 0) return;
    for (const follower of this.followers) follower.onChanges(changes);
  }
}
