import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import type { Position, Stretch } from "../../../domain/range.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { LeaseSession } from "../../../etcd/lease-session.ts";
import {
  get,
  isAbsent,
  isUnchangedSince,
  prefixRange,
  put,
  remove,
  removePrefix,
  wasCreatedAt,
} from "../../../etcd/requests.ts";
import type { Source } from "../../source/source.ts";
import { CheckpointKeys } from "./checkpoint-keys.ts";
import { RangePlanner } from "./range-planner.ts";
import type { ClaimedRange, RangeAssignment } from "./range-assignment.ts";
import { isRead, readPlan, readRange, type StoredPlan, type StoredRange } from "./stored-plan.ts";

export interface EtcdAssignmentOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** For people who look into etcd. */
  readonly streamerId: string;
  /** Time after which the ranges of a streamer that is dead or cut off go to others. */
  readonly leaseSeconds: number;
  /** About how much of a file a streamer claims at a time. */
  readonly rangeBytes: number;
  readonly log: Logger;
}

interface KnownRange {
  readonly stored: StoredRange;
  readonly revision: string;
  readonly isOwned: boolean;
}

interface State {
  readonly plan: StoredPlan;
  readonly planRevision: string;
  readonly ranges: readonly KnownRange[];
  readonly isBeingCut: boolean;
}

/** Should an event ever be lost, or a range be cut meanwhile, it is found after this time. */
const lookAgainMs = 1000;

/** Shares a source among processes: it is cut into ranges, and a range is read by the streamer that holds its owner key,
 *  which vanishes with the streamer's lease. The range's position moves with each publish, in its transaction, and only
 *  while the owner key is the one that the publisher made.
 *
 *  A range: CUT -claim-> OWNED -finish-> READ; OWNED -release, or end of lease-> CUT, its position kept.
 *  The source: CUTTING -its end is reached-> CUT -every range READ-> DONE (its ranges are removed). */
export class EtcdAssignment implements RangeAssignment {
  private session: LeaseSession | undefined;
  private readonly cutter: RangePlanner;

  constructor(private readonly options: EtcdAssignmentOptions) {
    this.cutter = new RangePlanner(options);
  }

  async covered(source: Source): Promise<readonly Stretch[]> {
    const { plan, ranges } = await this.look(new CheckpointKeys(source.sourceId), source.start);
    if (plan.state === "done") return [{ from: source.start, to: plan.cut_to }];
    return joined(ranges.map(({ stored }) => ({ from: stored.from, to: stored.at })));
  }

  async claim(source: Source, signal: AbortSignal): Promise<ClaimedRange | undefined> {
    const keys = new CheckpointKeys(source.sourceId);
    let waiting: Waiting | undefined;
    try {
      while (!signal.aborted) {
        // asked before the look: a range that is cut after it ends the wait
        const nextCut = this.cutter.nextCut();
        const state = await this.look(keys, source.start);
        if (state.plan.state === "done") return undefined;
        if (state.plan.state === "cutting" && !state.isBeingCut) await this.startCutting(source, keys);
        for (const range of state.ranges) {
          if (range.isOwned || isRead(range.stored)) continue;
          const claimed = await this.tryClaim(keys, range);
          if (claimed !== undefined) return claimed;
        }
        if (await this.tryFinish(keys, state)) return undefined;
        waiting ??= this.waitingFor(keys);
        await waiting.next(signal, nextCut);
      }
      return undefined;
    } finally {
      await waiting?.close();
    }
  }

  async close(): Promise<void> {
    await this.cutter.stop();
    await this.session?.close();
  }

  private async look(keys: CheckpointKeys, start: Position): Promise<State> {
    const { client } = this.options;
    const { responses } = await client.txn({
      success: [
        get(keys.plan),
        { request_range: prefixRange(keys.ranges) },
        { request_range: { ...prefixRange(keys.owners), keys_only: true } },
        get(keys.cutter),
      ],
    });
    const [plans, ranges, owners, cutters] = responses.map(({ response_range }) => response_range.kvs);
    const owned = new Set(owners?.map(({ key }) => key.toString().slice(keys.owners.length)));
    return {
      plan: plans?.[0] === undefined ? { state: "cutting", cut_to: start } : readPlan(plans[0].value),
      planRevision: plans?.[0]?.mod_revision ?? "0",
      isBeingCut: cutters?.[0] !== undefined,
      ranges: (ranges ?? []).map(({ key, value, mod_revision: revision }) => ({
        stored: readRange(value),
        revision,
        isOwned: owned.has(key.toString().slice(keys.ranges.length)),
      })),
    };
  }

  private async tryClaim(keys: CheckpointKeys, { stored, revision }: KnownRange): Promise<ClaimedRange | undefined> {
    const { client, streamerId } = this.options;
    const session = await this.openSession();
    const { offset } = stored.from;
    const [rangeKey, ownerKey] = [keys.range(offset), keys.owner(offset)];
    const claimed = await heardOrGone(session, () =>
      client.txn({
        compare: [isAbsent(ownerKey), isUnchangedSince(rangeKey, revision)],
        success: [put(ownerKey, streamerId, session.leaseId)],
      }),
    );
    if (!claimed.succeeded) return undefined;
    const isMine = wasCreatedAt(ownerKey, claimed.revision);
    const valueAt = (at: Position): string => JSON.stringify({ ...stored, at } satisfies StoredRange);
    const end = stored.to_offset === null ? stored.at : { ...stored.at, offset: stored.to_offset };
    const settle = async (success: ReturnType<typeof put>[]): Promise<void> => {
      await client.txn({ compare: [isMine], success: [...success, remove(ownerKey)] });
    };
    return {
      range: { from: stored.at, ...(stored.to_offset === null ? {} : { toOffset: stored.to_offset }) },
      checkpoint: { key: rangeKey, valueAt, ownerKey, ownerRevision: claimed.revision },
      lost: session.signal,
      finish: () => settle([put(rangeKey, valueAt(end))]),
      release: () => heardOrGone(session, () => settle([])),
    };
  }

  private async startCutting(source: Source, keys: CheckpointKeys): Promise<void> {
    const session = await this.openSession();
    await heardOrGone(session, () => this.cutter.start(source, keys, session));
  }

  /** Once everything is read, the ranges are replaced by a word. @returns true when nothing is left to read */
  private async tryFinish(keys: CheckpointKeys, { plan, planRevision, ranges }: State): Promise<boolean> {
    if (plan.state !== "cut" || !ranges.every(({ stored }) => isRead(stored))) return false;
    const done: StoredPlan = { ...plan, state: "done" };
    const { succeeded } = await this.options.client.txn({
      compare: [isUnchangedSince(keys.plan, planRevision)],
      success: [put(keys.plan, JSON.stringify(done)), removePrefix(keys.ranges)],
    });
    return succeeded;
  }

  private async openSession(): Promise<LeaseSession> {
    if (this.session === undefined || this.session.signal.aborted) {
      const { client, clock, leaseSeconds } = this.options;
      this.session = await LeaseSession.open({ client, clock, ttlSeconds: leaseSeconds });
    }
    return this.session;
  }

  private waitingFor(keys: CheckpointKeys): Waiting {
    return new Waiting(this.options, keys);
  }
}

/** A change without an answer may have been carried out: this process would then own, for as long as it lives, what it knows
 *  nothing of, and all would wait for it. So its lease ends, and with it all that it owns. */
async function heardOrGone<T>(session: LeaseSession, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Waits until another streamer lets go of something, or this one has cut another range. */
class Waiting {
  private wake: () => void = () => undefined;
  private readonly watch: EtcdWatch;

  constructor(
    private readonly options: Pick<EtcdAssignmentOptions, "client" | "clock">,
    keys: CheckpointKeys,
  ) {
    const { client, clock } = options;
    const range = prefixRange(keys.owners);
    this.watch = new EtcdWatch({
      client,
      clock,
      range,
      deletionsOnly: true,
      list: async () => (await client.range({ ...range, count_only: true })).header.revision,
      onEvents: () => this.wake(),
      onInterrupted: () => this.wake(),
    });
  }

  async next(signal: AbortSignal, nextCut: Promise<void>): Promise<void> {
    const over = new AbortController();
    this.wake = () => over.abort();
    void nextCut.then(this.wake);
    await this.options.clock.sleep(lookAgainMs, AbortSignal.any([signal, over.signal]));
  }

  close(): Promise<void> {
    return this.watch.close();
  }
}

/** Joins stretches that touch; they are in order. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const result: Stretch[] = [];
  for (const stretch of stretches) {
    const last = result.at(-1);
    if (last !== undefined && last.to.offset === stretch.from.offset) {
      result[result.length - 1] = { from: last.from, to: stretch.to };
    } else if (stretch.to.offset > stretch.from.offset) result.push(stretch);
  }
  return result;
}
