import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { messageOf, StoreUnavailable } from "../../domain/errors.ts";
import type { GpuFilter, StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { Service } from "../../kit/service.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { Fleet, FleetMember, MemberFilter } from "./fleet.ts";
import { FleetMembers, fits } from "./fleet-members.ts";
import type { HotTier } from "../../pipeline/hot/hot-tier.ts";

export interface FleetProjectionOptions {
  readonly hotTier: HotTier;
  readonly store: Pick<TelemetryQueries, "gpus" | "latest">;
  /** The store is read again this often, where what others store does not come through the hot tier; absent: never. */
  readonly rereadMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long starting waits for store and hot tier; what is late comes while requests are served. */
const startPatienceMs = 5000;
/** The pause before a store that did not answer is asked again. */
const askAgainMs = 2000;

/** Keeps the fleet in memory: read from the store once, and kept by what the hot tier tells. Either alone is enough to
 *  serve from; what the other one adds is joined in whenever it comes.
 *
 *  IDLE -start-> FOLLOWING -hot tier away-> INTERRUPTED (serves what it has) -it is back-> FOLLOWING
 *  FOLLOWING after a gap: the store is read again, for what came and went unseen. Any -stop-> STOPPED. */
export class FleetProjection implements Service, Fleet {
  readonly name = "fleet";
  private readonly joined = new FleetMembers();
  private readonly listeners: ((members: readonly FleetMember[]) => void)[] = [];
  private readonly halt = new AbortController();
  private unfollow: (() => Promise<void>) | undefined;
  private reading: Promise<void> | undefined;
  private mustReadAgain = false;
  /** What is wrong with either; the words before the first try say that there is nothing yet. */
  private storeTrouble: string | undefined = "the store has not answered yet";
  private hotTrouble: string | undefined = "the hot tier has not answered yet";
  private hasStore = false;
  private hasHot = false;
  private changes = 0;
  private readonly firstNews = { store: Promise.withResolvers<void>(), hot: Promise.withResolvers<void>() };

  constructor(private readonly options: FleetProjectionOptions) {}

  get version(): number {
    return this.changes;
  }

  get isLoaded(): boolean {
    // a hot tier that knows nobody may have been made just now: only the store can say that there is nobody
    return this.hasStore || (this.hasHot && this.joined.size > 0);
  }

  async start(): Promise<void> {
    if (this.halt.signal.aborted || this.unfollow !== undefined) return;
    this.readStore();
    this.unfollow = this.options.hotTier.follow({
      onChanges: (changes) => this.tell(this.joined.join(changes)),
      onFollowing: (afterGap) => this.setFollowing(afterGap),
      onInterrupted: (error) => this.setInterrupted(error),
    });
    const answered = new AbortController();
    const { store, hot } = this.firstNews;
    const patience = AbortSignal.any([answered.signal, this.halt.signal]);
    await Promise.race([
      Promise.all([store.promise, hot.promise]),
      this.options.clock.sleep(startPatienceMs, patience),
    ]);
    answered.abort();
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.unfollow?.();
    await this.reading;
  }

  error(): string | undefined {
    const troubles = [];
    if (this.hotTrouble !== undefined) troubles.push(`the fleet's newest state stands still: ${this.hotTrouble}`);
    if (this.storeTrouble !== undefined)
      troubles.push(`the fleet may lack what only the store has: ${this.storeTrouble}`);
    return troubles.length === 0 ? undefined : troubles.join("; ");
  }

  activity(): string | undefined {
    return this.isLoaded ? `${this.joined.size} GPUs in memory` : undefined;
  }

  members(filter: MemberFilter = {}): readonly FleetMember[] {
    if (!this.isLoaded) {
      throw new StoreUnavailable(`the fleet is not known yet: ${this.storeTrouble}; ${this.hotTrouble}`);
    }
    const all = this.joined.all();
    const { namespace, ...ofGpu } = filter;
    if (Object.keys(filter).length === 0) return all;
    return all.filter(
      ({ gpu, record }) => fits(gpu, ofGpu) && (namespace === undefined || record?.namespace === namespace),
    );
  }

  member(uuid: string): FleetMember | undefined {
    this.members();
    return this.joined.get(uuid);
  }

  gpus(filter: GpuFilter): StoredGpu[] {
    return this.members(filter).map(({ gpu }) => gpu);
  }

  latest(filter: GpuFilter): StoredRecord[] {
    return this.members(filter).flatMap(({ record }) => (record === undefined ? [] : [record]));
  }

  onMembers(listener: (members: readonly FleetMember[]) => void): void {
    this.listeners.push(listener);
    listener(this.joined.all());
  }

  private tell(members: readonly FleetMember[]): void {
    if (members.length === 0) return;
    this.changes += 1;
    for (const listener of this.listeners) listener(members);
  }

  private setFollowing(afterGap: boolean): void {
    const isFirst = !this.hasHot;
    if (!isFirst && this.hotTrouble !== undefined) this.options.log.info("the fleet's newest state moves again");
    this.hasHot = true;
    this.hotTrouble = undefined;
    this.firstNews.hot.resolve();
    if (afterGap && !isFirst) this.readStore();
  }

  private setInterrupted(error: Error): void {
    const trouble = messageOf(error);
    // it is tried again every few seconds: said once
    if (this.hotTrouble === undefined) this.options.log.warn({ err: error }, "the fleet's newest state stands still");
    this.hotTrouble = trouble;
    this.firstNews.hot.resolve();
  }

  /** Reads the store until it has answered; asked while it reads, it reads once more. */
  private readStore(): void {
    this.mustReadAgain = true;
    this.reading ??= this.readUntilCurrent().finally(() => (this.reading = undefined));
  }

  private async readUntilCurrent(): Promise<void> {
    const { clock, rereadMs } = this.options;
    while (this.mustReadAgain && !this.halt.signal.aborted) {
      this.mustReadAgain = false;
      if (!(await this.readOnce())) {
        this.mustReadAgain = true;
        await clock.sleep(askAgainMs, this.halt.signal);
      } else if (rereadMs !== undefined) {
        this.mustReadAgain = true;
        await clock.sleep(rereadMs, this.halt.signal);
      }
    }
  }

  private async readOnce(): Promise<boolean> {
    const { store, log } = this.options;
    try {
      const [gpus, latest] = [await store.gpus({}), await store.latest({})];
      if (this.halt.signal.aborted) return true;
      this.tell(this.joined.joinStored(gpus, latest));
      this.hasStore = true;
      this.storeTrouble = undefined;
      return true;
    } catch (error) {
      const trouble = messageOf(error);
      if (trouble !== this.storeTrouble) log.warn({ err: error as Error }, "the fleet cannot be read from the store");
      this.storeTrouble = trouble;
      return false;
    } finally {
      this.firstNews.store.resolve();
    }
  }
}
