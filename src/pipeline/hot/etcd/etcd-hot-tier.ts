import type { RecordBatch } from "../../../domain/batch.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { EtcdRefused } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { GroupCommit } from "../../../kit/group-commit.ts";
import { ExpiringKeys } from "./expiring-keys.ts";
import { Flusher } from "./flusher.ts";
import { watchHotTier } from "./hot-watch.ts";
import type { HotFollower, HotTier } from "../hot-tier.ts";
import { mergeRecords, mergeStates } from "../merge-state.ts";
import { type GpuNews, newestOfBatch } from "../newest-of-batch.ts";

export interface EtcdHotTierOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** How long a flush's records stay in etcd. */
  readonly windowSeconds: number;
  /** What a process's records may take in etcd, bytes; beyond it the oldest go before their time. */
  readonly windowMaxBytes?: number;
  /** Told how many records a newer one of the same GPU stood in for. */
  readonly onCoalesced: (records: number) => void;
  /** Told why etcd does not take something that the store has. */
  readonly onRefused: (reason: Error) => void;
}

/** A thirtieth of etcd's default quota: leaves room for the queue, for history and for more collectors. */
const defaultWindowMaxBytes = 64 * 1024 * 1024;
/** A flush rests for so many times as long as it took, so that what is stored is not held up by what is shown: the hot
 *  tier has a quarter of the time at most. But no longer than this: a gateway shows what is new within a blink. */
const restFactor = 3;
const restMaxMs = 250;
/** Who writes waits for its batch: as many as there are workers, at most. */
const batchesMax = 1024;

interface Gathered {
  readonly news: readonly GpuNews[];
  /** Of the batch that they are the newest of. */
  readonly records: number;
}

/** The hot tier in etcd, shared by any number of processes; the keys are in docs/hot-tier.md.
 *
 *  GATHERING -nothing under way-> FLUSHING -> RESTING -> GATHERING; what comes meanwhile is gathered, the newest of each
 *  GPU, and is the next flush. So the cost follows the number of hosts and not the rate of records. */
export class EtcdHotTier implements HotTier {
  private readonly flusher: Flusher;
  private readonly flushes: GroupCommit<Gathered, undefined>;
  private restMs = 0;

  constructor(private readonly options: EtcdHotTierOptions) {
    const { windowMaxBytes = defaultWindowMaxBytes } = options;
    this.flusher = new Flusher({ ...options, window: new ExpiringKeys({ ...options, windowMaxBytes }) });
    this.flushes = new GroupCommit(
      (gathered) => this.flush(gathered),
      batchesMax,
      () => options.clock.sleep(this.restMs),
    );
  }

  async write(batch: RecordBatch): Promise<void> {
    if (batch.recordCount === 0) return;
    await this.flushes.submit({ news: newestOfBatch(batch), records: batch.recordCount });
  }

  follow(follower: HotFollower): () => Promise<void> {
    const watch = watchHotTier(this.options.client, this.options.clock, follower);
    return () => watch.close();
  }

  private async flush(gathered: readonly Gathered[]): Promise<undefined[]> {
    const news = new Map<string, GpuNews>();
    for (const said of gathered.flatMap((each) => each.news)) {
      const known = news.get(said.record.uuid);
      news.set(said.record.uuid, known === undefined ? said : join(known, said));
    }
    const elapsedMs = stopwatch();
    const late = await this.flusher.flush([...news.values()]).catch((error: unknown) => {
      if (!(error instanceof EtcdRefused)) throw error;
      this.options.onRefused(error);
      return 0;
    });
    this.restMs = Math.min(restMaxMs, elapsedMs() * restFactor);
    const records = gathered.reduce((sum, each) => sum + each.records, 0);
    this.options.onCoalesced(records - news.size + late);
    return gathered.map(() => undefined);
  }
}

function join(known: GpuNews, said: GpuNews): GpuNews {
  return { state: mergeStates(known.state, said.state), record: mergeRecords(known.record, said.record) };
}
