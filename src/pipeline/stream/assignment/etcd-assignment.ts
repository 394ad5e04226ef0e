import { leaseSignKeys } from "../../../etcd/lease-signs.ts";
import type { Logger } from "pino";
import { UnusableSource } from "../../../domain/errors.ts";
import { joinRanges, type Position, type Range } from "../../../domain/range.ts";
import {
  exists,
  get,
  isAbsent,
  isUnchangedSince,
  prefixRange,
  put,
  remove,
  removePrefix,
  wasCreatedAt,
} from "../../../etcd/requests.ts";
import type { ReplayableSource } from "../../source/source.ts";
import { CheckpointKeys } from "./checkpoint-keys.ts";
import type { ClaimedRange, RangeAssignment } from "./range-assignment.ts";
import { RangePlanner } from "./range-planner.ts";
import { ReleaseWatch } from "./release-watch.ts";
import { isRead, type PlannedRange, rangeText, readPlan, readRange, type StoredPlan } from "./stored-plan.ts";
import { endLeaseOnError, StreamerLease, type StreamerLeaseOptions } from "./streamer-lease.ts";

export interface EtcdAssignmentOptions extends StreamerLeaseOptions {
  /** The pipeline's topic: the positions belong to one pipeline. */
  readonly topic: string;
  /** The cluster for which this process reads sources. */
  readonly clusterId: string;
  /** The value of the owner keys, for people who inspect etcd. */
  readonly streamerId: string;
  /** Approximate size of the range that a streamer claims. */
  readonly rangeBytes: number;
  readonly log: Logger;
}

interface RangeState {
  readonly planned: PlannedRange;
  readonly revision: string;
  readonly isOwned: boolean;
}

interface PlanState {
  readonly plan: StoredPlan;
  readonly planRevision: string;
  readonly ranges: readonly RangeState[];
  readonly isBeingPlanned: boolean;
}

/** Shares a source among processes. The source is divided into ranges, and the streamer that holds a range's owner key reads
 *  the range. The owner key is deleted when the range is finished or released, or the streamer's lease ends. Each transaction
 *  that publishes messages also updates the range's position, and fails unless the publisher created the owner key.
 *
 *  A range: FREE -claim-> OWNED -finish-> READ; OWNED -release, or end of lease-> FREE, with its position kept.
 *  The source: cutting -its end is reached-> cut -every range READ-> done (its ranges are removed). */
export class EtcdAssignment implements RangeAssignment {
  private readonly lease: StreamerLease;
  private readonly planner: RangePlanner;

  constructor(private readonly options: EtcdAssignmentOptions) {
    this.lease = new StreamerLease({ ...options, signs: leaseSignKeys(options.topic).signs });
    this.planner = new RangePlanner(options);
  }

  async covered({ sourceId, whole }: ReplayableSource): Promise<readonly Range[]> {
    const { plan, ranges } = await this.readState(new CheckpointKeys(this.options.topic, sourceId), whole.from);
    this.checkCluster(sourceId, plan);
    if (plan.state === "done") return [{ from: whole.from, to: plan.cut_to }];
    return joinRanges(ranges.map(({ planned }) => ({ from: planned.from, to: planned.at })));
  }

  async claim(
    source: ReplayableSource,
    signal: AbortSignal,
    onWaiting?: () => void,
  ): Promise<ClaimedRange | undefined> {
    const keys = new CheckpointKeys(this.options.topic, source.sourceId);
    let releases: ReleaseWatch | undefined;
    try {
      while (!signal.aborted) {
        // before the state is read: if a range is planned later, it must end the wait
        const nextRange = this.planner.nextRange();
        const state = await this.readState(keys, source.whole.from);
        this.checkCluster(source.sourceId, state.plan);
        if (state.plan.state === "done") return undefined;
        if (state.plan.state === "cutting" && !state.isBeingPlanned) await this.startPlanning(source, keys);
        const claimed = await this.claimFirst(keys, state);
        if (claimed !== undefined) return claimed;
        if (await this.tryFinish(keys, state)) return undefined;
        onWaiting?.();
        releases ??= new ReleaseWatch(this.options, keys.owners);
        await releases.next(signal, nextRange);
      }
      return undefined;
    } finally {
      await releases?.close();
    }
  }

  positionsLost(signal: AbortSignal): Promise<boolean> {
    return this.options.client.history.nextChange(signal);
  }

  async forget(sourceId: string): Promise<void> {
    await this.planner.stop();
    const { all } = new CheckpointKeys(this.options.topic, sourceId);
    await this.options.client.txn({ success: [removePrefix(all)] });
  }

  async close(): Promise<void> {
    await this.planner.stop();
    await this.lease.close();
  }

  private async readState(keys: CheckpointKeys, start: Position): Promise<PlanState> {
    const { responses } = await this.options.client.txn({
      success: [
        get(keys.plan),
        { request_range: prefixRange(keys.ranges) },
        { request_range: { ...prefixRange(keys.owners), keys_only: true } },
        get(keys.planner),
      ],
    });
    const [plans, ranges, owners, planners] = responses.map(({ response_range }) => response_range.kvs);
    const owned = new Set(owners?.map(({ key }) => key.toString().slice(keys.owners.length)));
    return {
      plan: plans?.[0] === undefined ? { state: "cutting", cut_to: start } : readPlan(plans[0].value),
      planRevision: plans?.[0]?.mod_revision ?? "0",
      isBeingPlanned: planners?.[0] !== undefined,
      ranges: (ranges ?? []).map(({ key, value, mod_revision: revision }) => ({
        planned: readRange(value),
        revision,
        isOwned: owned.has(key.toString().slice(keys.ranges.length)),
      })),
    };
  }

  /** @throws UnusableSource if the source is read for another cluster: its rows would be divided between the clusters */
  private checkCluster(sourceId: string, { cluster_id: other }: StoredPlan): void {
    const { clusterId, topic } = this.options;
    if (other === undefined || other === clusterId) return;
    throw new UnusableSource(
      `${sourceId} is read for CLUSTER_ID=${other} in the pipeline QUEUE_TOPIC=${topic}, and this process has CLUSTER_ID=${clusterId}: ` +
        `a pipeline stores a file for one cluster. Set CLUSTER_ID=${other}, or give the other cluster a pipeline with a QUEUE_TOPIC and a database of its own`,
    );
  }

  private async claimFirst(keys: CheckpointKeys, { ranges }: PlanState): Promise<ClaimedRange | undefined> {
    for (const range of ranges) {
      if (range.isOwned || isRead(range.planned)) continue;
      const claimed = await this.tryClaim(keys, range, shareOf(ranges));
      if (claimed !== undefined) return claimed;
    }
    return undefined;
  }

  private tryClaim(
    keys: CheckpointKeys,
    { planned, revision }: RangeState,
    share: number,
  ): Promise<ClaimedRange | undefined> {
    const { client, streamerId } = this.options;
    const { offset } = planned.from;
    const [rangeKey, ownerKey] = [keys.range(offset), keys.owner(offset)];
    return this.lease.change(async (session) => {
      const claimed = await client.txn({
        compare: [isAbsent(ownerKey), isUnchangedSince(rangeKey, revision)],
        success: [put(ownerKey, streamerId, session.leaseId)],
      });
      if (!claimed.succeeded) return undefined;
      const isMine = wasCreatedAt(ownerKey, claimed.revision);
      const valueAt = (at: Position): string => rangeText({ ...planned, at });
      const settle = async (...success: ReturnType<typeof put>[]): Promise<void> => {
        // another streamer may have set the plan to done meanwhile, which deletes the range: it must not come back
        const compare = success.length === 0 ? [isMine] : [isMine, exists(rangeKey)];
        const { succeeded } = await client.txn({ compare, success: [...success, remove(ownerKey)] });
        if (!succeeded && success.length > 0) await settle();
      };
      return {
        range: { from: planned.at, to: planned.to },
        share,
        checkpoint: { key: rangeKey, valueAt, ownerKey, ownerRevision: claimed.revision },
        lost: session.signal,
        finish: () => settle(put(rangeKey, valueAt(planned.to))),
        release: () => endLeaseOnError(session, () => settle()),
      };
    });
  }

  private startPlanning(source: ReplayableSource, keys: CheckpointKeys): Promise<void> {
    return this.lease.change((session) => this.planner.start(source, keys, session));
  }

  private async tryFinish(keys: CheckpointKeys, { plan, planRevision, ranges }: PlanState): Promise<boolean> {
    if (plan.state !== "cut" || !ranges.every(({ planned }) => isRead(planned))) return false;
    const done: StoredPlan = { ...plan, state: "done" };
    const { succeeded } = await this.options.client.txn({
      compare: [isUnchangedSince(keys.plan, planRevision)],
      success: [put(keys.plan, JSON.stringify(done)), removePrefix(keys.ranges)],
    });
    return succeeded;
  }
}

/** The ranges that a streamer has to read if it claims one now: each streamer that reads owns one. */
function shareOf(ranges: readonly RangeState[]): number {
  const unread = ranges.filter(({ planned }) => !isRead(planned)).length;
  return unread / (1 + ranges.filter(({ isOwned }) => isOwned).length);
}
