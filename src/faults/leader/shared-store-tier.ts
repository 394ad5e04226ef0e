import type { StoredRecord } from "../../domain/query.ts";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import type { CoalescedRecords, HotChanges, HotFollower, HotTier, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
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

/** Between two reads, a device seldom has more records than this. */
const usualRecords = 2;

/** The newest records of a process that has a hot tier of its own, and shares its store with other processes: those of the hot tier, and
 *  of the store those that the hot tier does not have. A read has only the newest record of each device: what has come between it and the
 *  one before counts as coalesced, and is read from the store. */
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
        // of the first read, it is known that records before it were missed
        const isFirst = revision === undefined;
        const news = latest.flatMap((record): News[] => {
          const uuid = record.gpu.uuid;
          const beforeMs = known.timeOf(uuid) ?? 0;
          if (!known.add({ ...record, uuid })) return [];
          const sinceMs = beforeMs + 1;
          const isNext = isFirst || sinceMs >= record.timeMs;
          return [{ record, coalesced: isNext ? undefined : { sinceMs, records: usualRecords } }];
        });
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

/** A record that the follower has not received, and what has come since the last one that it has. */
interface News {
  readonly record: StoredRecord;
  readonly coalesced: CoalescedRecords | undefined;
}

type KnownRecord = Pick<NewestRecord, "uuid" | "timeMs" | "metrics" | "custom">;

/** The newest record of each device that a follower has received. */
class KnownRecords {
  private readonly newest = new Map<string, { readonly timeMs: number; readonly values: number }>();

  /** The instant of a device's newest record; undefined if there is none. */
  timeOf(uuid: string): number | undefined {
    return this.newest.get(uuid)?.timeMs;
  }

  /** @returns whether the record is newer than the known one, or has more values of its instant */
  add({ uuid, timeMs, metrics, custom }: KnownRecord): boolean {
    const values = Object.keys(metrics).length + Object.keys(custom).length;
    const known = this.newest.get(uuid);
    const isNews = known === undefined || timeMs > known.timeMs || (timeMs === known.timeMs && values > known.values);
    if (isNews) this.newest.set(uuid, { timeMs, values });
    return isNews;
  }
}

function changesOf(news: readonly News[]): HotChanges {
  return {
    gpus: news.map(({ record: { gpu, timeMs } }) => {
      return { gpu, asOfMs: timeMs, openSinceMs: new Map(), firstSeenAtMs: timeMs };
    }),
    records: news.map(({ record: { gpu, timeMs, metrics, custom, occupants }, coalesced }) => {
      const { uuid, clusterId, hostname, device, modelName, gpuId } = gpu;
      const reported = { clusterId, hostname, device, modelName, gpuId };
      return { uuid, reported, timeMs, metrics, custom, occupants, ...defined({ coalesced }) };
    }),
  };
}
