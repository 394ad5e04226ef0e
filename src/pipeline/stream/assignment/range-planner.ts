import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import type { Position } from "../../../domain/range.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import type { LeaseSession } from "../../../etcd/lease-session.ts";
import { get, isAbsent, prefixRange, put, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import type { ReplayableSource } from "../../source/source.ts";
import type { CheckpointKeys } from "./checkpoint-keys.ts";
import { isRead, rangeText, readPlan, readRange, type StoredPlan } from "./stored-plan.ts";

export interface RangePlannerOptions {
  readonly client: EtcdClient;
  /** The cluster for which this process reads sources. */
  readonly clusterId: string;
  /** Approximate size of a range. */
  readonly rangeBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface PlanningTask {
  readonly source: ReplayableSource;
  readonly keys: CheckpointKeys;
  /** The cluster for which the source is read. */
  readonly clusterId: string;
  readonly from: Position;
  /** A condition that is true while this process holds the planner's key. */
  readonly isMine: ReturnType<typeof isAbsent>;
  readonly signal: AbortSignal;
}

/** How many ranges may wait to be read. The planner reads a file much faster than the streamers do, and each range is a key in etcd. */
const maxAhead = 256;
/** The planner looks again how many ranges wait, after so many more ranges, or if too many wait, after so long. */
const rangesPerLook = 32;
const lookEveryMs = 500;

/** Divides a source into ranges while streamers already read it. Only one streamer plans at a time: the one that holds the
 *  planner's key, which is bound to the streamer's lease. If that streamer dies, another one continues where the last range
 *  ends. */
export class RangePlanner {
  private readonly halt = new AbortController();
  private running: Promise<void> | undefined;
  private upcoming = Promise.withResolvers<void>();

  constructor(private readonly options: RangePlannerOptions) {}

  /** Starts planning, unless this or another streamer is planning already, or `stop` was called. */
  async start(source: ReplayableSource, keys: CheckpointKeys, session: LeaseSession): Promise<void> {
    if (this.running !== undefined || this.halt.signal.aborted) return;
    const { responses, succeeded, revision } = await this.options.client.txn({
      compare: [isAbsent(keys.planner)],
      success: [put(keys.planner, "", session.leaseId), get(keys.plan)],
    });
    if (!succeeded) return;
    const planned = responses[1]?.response_range.kvs[0];
    const { cut_to: from = source.whole.from, cluster_id: clusterId = this.options.clusterId } =
      planned === undefined ? {} : readPlan(planned.value);
    const isMine = wasCreatedAt(keys.planner, revision);
    this.running = this.plan({ source, keys, clusterId, from, isMine, signal: session.signal })
      .catch((error: unknown) => {
        this.options.log.warn({ err: error }, "dividing the source into ranges was interrupted");
        // the planner's key may still exist, and would keep every streamer from planning: closing the session deletes it
        return session.close();
      })
      .finally(() => (this.running = undefined));
  }

  /** Resolves when this streamer has planned its next range; never if it plans no more ranges. */
  nextRange(): Promise<void> {
    return this.upcoming.promise;
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.running;
  }

  /** Waits until fewer than `maxAhead` ranges wait to be read, or until it is stopped. */
  private async waitForReaders({ ranges }: CheckpointKeys, stop: AbortSignal): Promise<void> {
    const { client, clock } = this.options;
    const newest = { ...prefixRange(ranges), sort_order: "Descend", sort_target: "Key", limit: maxAhead } as const;
    while (!stop.aborted) {
      const { kvs } = await client.range(newest);
      const oldest = kvs.at(-1);
      // ranges are read about in order
      if (oldest === undefined || kvs.length < maxAhead || isRead(readRange(oldest.value))) return;
      await clock.sleep(lookEveryMs, stop);
    }
  }

  private async plan({ source, keys, clusterId, from, isMine, signal }: PlanningTask): Promise<void> {
    const { client, rangeBytes } = this.options;
    const planText = (state: StoredPlan["state"], to: Position): string =>
      JSON.stringify({ state, cut_to: to, cluster_id: clusterId } satisfies StoredPlan);
    const stop = AbortSignal.any([signal, this.halt.signal]);
    let plannedTo = from;
    let planned = 0;
    try {
      for await (const range of source.planRanges(from, rangeBytes, stop)) {
        if (planned % rangesPerLook === 0) await this.waitForReaders(keys, stop);
        if (stop.aborted) return;
        planned += 1;
        plannedTo = range.to;
        const success = [
          put(keys.range(range.from.offset), rangeText({ ...range, at: range.from })),
          put(keys.plan, planText("cutting", plannedTo)),
        ];
        if (!(await client.txn({ compare: [isMine], success })).succeeded) return;
        this.upcoming.resolve();
        this.upcoming = Promise.withResolvers();
      }
      if (stop.aborted) return;
      await client.txn({ compare: [isMine], success: [put(keys.plan, planText("cut", plannedTo))] });
    } finally {
      await client.txn({ compare: [isMine], success: [remove(keys.planner)] });
    }
  }
}
