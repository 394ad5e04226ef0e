import type { StoredRecord } from "../../domain/query.ts";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import type { HotChanges, HotFollower, HotTier, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";

export interface SharedStoreTierOptions {
  readonly hotTier: Pick<HotTier, "follow">;
  readonly fleet: Pick<FleetQueries, "revision" | "latest">;
  readonly clock: Clock;
}

/** The shortest pause between two reads of the store. */
const readMs = 2000;
/** The pause is at least so many times as long as the read. */
const pausePerRead = 10;

/** The newest records of a process that has a hot tier of its own, and shares its store with other processes: those of the hot tier, and
 *  of the store those that the hot tier does not have. */
export class SharedStoreTier implements Pick<HotTier, "follow"> {
  constructor(private readonly options: SharedStoreTierOptions) {}

  follow(follower: HotFollower): () => Promise<void> {
    const known = new KnownRecords();
    const stop = new AbortController();
    const unfollow = this.options.hotTier.follow({
      onChanges: (changes) => {
        for (const record of changes.records) known.add(record);
        follower.onChanges(changes);
      },
      onFollowing: (afterGap) => follower.onFollowing(afterGap),
      onInterrupted: (error) => follower.onInterrupted(error),
    });
    const reading = this.readUntil(stop.signal, known, follower);
    return async () => {
      stop.abort();
      await Promise.all([unfollow(), reading]);
    };
  }

  private async readUntil(stop: AbortSignal, known: KnownRecords, follower: HotFollower): Promise<void> {
    const { fleet, clock } = this.options;
    let revision: string | undefined;
    while (!stop.aborted) {
      const elapsedMs = stopwatch();
      try {
        const present = await fleet.revision();
        // a record in a damaged block is left out: gateways say so
        const latest = present === revision ? [] : await fleet.latest({}, () => undefined);
        if (stop.aborted) return;
        const news = latest.filter((record) => known.add({ ...record, uuid: record.gpu.uuid }));
        if (news.length > 0) follower.onChanges(changesOf(news));
        revision = present;
        follower.onFollowing(false);
      } catch (error) {
        follower.onInterrupted(error as Error);
      }
      await clock.sleep(Math.max(readMs, elapsedMs() * pausePerRead), stop);
    }
  }
}

type KnownRecord = Pick<NewestRecord, "uuid" | "timeMs" | "metrics" | "custom">;

/** The newest record of each device that a follower has received. */
class KnownRecords {
  private readonly newest = new Map<string, { readonly timeMs: number; readonly values: number }>();

  /** @returns whether the record is newer than the known one, or has more values of its instant */
  add({ uuid, timeMs, metrics, custom }: KnownRecord): boolean {
    const values = Object.keys(metrics).length + Object.keys(custom).length;
    const known = this.newest.get(uuid);
    const isNews = known === undefined || timeMs > known.timeMs || (timeMs === known.timeMs && values > known.values);
    if (isNews) this.newest.set(uuid, { timeMs, values });
    return isNews;
  }
}

function changesOf(records: readonly StoredRecord[]): HotChanges {
  return {
    gpus: records.map(({ gpu, timeMs }) => ({ gpu, asOfMs: timeMs, openSinceMs: new Map(), firstSeenAtMs: timeMs })),
    records: records.map(({ gpu, timeMs, metrics, custom, occupants }) => {
      const { uuid, clusterId, hostname, device, modelName, gpuId } = gpu;
      return { uuid, reported: { clusterId, hostname, device, modelName, gpuId }, timeMs, metrics, custom, occupants };
    }),
  };
}
