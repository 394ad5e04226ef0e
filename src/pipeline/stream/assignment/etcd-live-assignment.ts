import { leaseSignKeys } from "../../../etcd/lease-signs.ts";
import { get, isAbsent, put, putIfAbsent, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import type { LiveSource } from "../../source/source.ts";
import { LiveKeys } from "./checkpoint-keys.ts";
import { knownPosition } from "./known-position.ts";
import type { ClaimedSource, LiveAssignment } from "./live-assignment.ts";
import { ReleaseWatch } from "./release-watch.ts";
import { latestText, readLatest } from "./stored-plan.ts";
import { endLeaseOnError, StreamerLease, type StreamerLeaseOptions } from "./streamer-lease.ts";

export interface EtcdLiveAssignmentOptions extends StreamerLeaseOptions {
  /** The pipeline's topic: the owner and the position belong to one pipeline. */
  readonly topic: string;
  /** The value of the owner keys, for people who inspect etcd. */
  readonly streamerId: string;
}

/** Shares live sources among processes. The streamer that holds a source's owner key reads the source. The key is deleted
 *  when the streamer releases the source, or the streamer's lease ends. Each transaction that publishes messages also updates
 *  the time of the latest batch, and fails unless the publisher created the current owner key. The next owner continues after
 *  that time, and a former owner publishes nothing.
 *
 *  A source: FREE -claim-> OWNED -release, or end of lease-> FREE. */
export class EtcdLiveAssignment implements LiveAssignment {
  private readonly lease: StreamerLease;

  constructor(private readonly options: EtcdLiveAssignmentOptions) {
    this.lease = new StreamerLease({ ...options, signs: leaseSignKeys(options.topic).signs });
  }

  async claim(
    { sourceId }: LiveSource,
    signal: AbortSignal,
    onWaiting?: (owner: string) => void,
  ): Promise<ClaimedSource | undefined> {
    const keys = new LiveKeys(this.options.topic, sourceId);
    let releases: ReleaseWatch | undefined;
    try {
      while (!signal.aborted) {
        const claimed = await this.tryClaim(keys);
        if (typeof claimed !== "string") return claimed;
        onWaiting?.(claimed);
        releases ??= new ReleaseWatch(this.options, keys.owner);
        await releases.next(signal);
      }
      return undefined;
    } finally {
      await releases?.close();
    }
  }

  close(): Promise<void> {
    return this.lease.close();
  }

  /** @returns the id of the streamer that has the source, if one has it */
  private tryClaim(keys: LiveKeys): Promise<ClaimedSource | string> {
    const { client, clock, streamerId } = this.options;
    return this.lease.change(async (session) => {
      // if this streamer dies before it has published anything, the next one knows since when readings are missing
      const start = latestText(clock.nowMs());
      const claimed = await client.txn({
        compare: [isAbsent(keys.owner)],
        success: [put(keys.owner, streamerId, session.leaseId), get(keys.latest), putIfAbsent(keys.latest, start)],
        failure: [get(keys.owner)],
      });
      if (!claimed.succeeded) return String(claimed.responses[0]?.response_range.kvs[0]?.value ?? "");
      const latest = claimed.responses[1]?.response_range.kvs[0];
      const isMine = wasCreatedAt(keys.owner, claimed.revision);
      const removal = { compare: [isMine], success: [remove(keys.owner)] };
      return {
        ...knownPosition(latest && readLatest(latest.value), clock.nowMs()),
        checkpoint: {
          key: keys.latest,
          valueAt: ({ offset: timeMs }) => latestText(timeMs),
          onlyWithMessages: true,
          ownerKey: keys.owner,
          ownerRevision: claimed.revision,
        },
        lost: session.signal,
        release: () => endLeaseOnError(session, async () => void (await client.txn(removal))),
      };
    });
  }
}
