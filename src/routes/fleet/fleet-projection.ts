import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { StoreUnavailable, UndecodableBlock } from "../../domain/errors.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { InventoryState } from "../../domain/inventory.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { RepeatedError } from "../../kit/repeated-error.ts";
import { endsWithin } from "../../kit/within.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { FleetGpu } from "../schemas/gpu.ts";
import type { FleetMember, LiveFleet, PresentStates } from "./fleet.ts";
import { FleetMembers } from "./fleet-members.ts";
import { selectedMembers } from "./selected-members.ts";
import type { HotChanges, HotTier } from "../../pipeline/hot/hot-tier.ts";

const storeErrorPrefix = "the fleet may lack GPUs and records that only the store has";
const hotTierErrorPrefix = "the fleet's newest state is not being updated";

export interface FleetProjectionOptions {
  readonly hotTier: HotTier;
  readonly store: Pick<FleetQueries, "gpus" | "latest" | "revision">;
  /** The shortest pause between reads of the store, if other processes store records without writing them to the hot tier. Absent:
   *  the store is read again only after an error, or after a gap in the changes of the hot tier. */
  readonly rereadMs?: number | undefined;
  /** Called with the records of each change of the hot tier, before the listeners of members are. Absent: it is not. */
  readonly onArrived?: (records: HotChanges["records"]) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long the start waits for the first answers of the store and the hot tier. */
const startTimeoutMs = 5000;
/** The pause between two reads of the store is at least so many times as long as the first of them. */
const pausePerRead = 4;
/** The pause before the store is read again after an error. */
const retryMs = 2000;
/** The pause before the store is read again if it has damaged blocks, which an operator has to repair. */
const damagedRetryMs = 30_000;

/** Keeps the fleet in memory: reads it from the store, and follows the changes of the hot tier. Clients can be served as
 *  soon as the store has answered, or the hot tier has delivered a GPU. Later answers are merged.
 *
 *  FOLLOWING -the hot tier does not answer-> INTERRUPTED (serves the last known fleet) -the hot tier answers-> FOLLOWING
 *  If changes may have been missed during the interruption, the store is read again. */
export class FleetProjection extends BaseService implements LiveFleet {
  private readonly merged = new FleetMembers(() => this.nowMs());
  private readonly listeners: ((members: readonly FleetMember[]) => void)[] = [];
  private unfollow: (() => Promise<void>) | undefined;
  private reading: Promise<void> | undefined;
  private mustRead = false;
  private states: PresentStates | undefined;
  private readonly storeError: RepeatedError;
  private readonly hotTierError: RepeatedError;
  private readonly damage: RepeatedError;
  /** Aborts when the store must be read without waiting for the repair of blocks. */
  private readAtOnce = new AbortController();
  /** The store's revision when it was read; undefined if it must be read in any case. */
  private revision: string | undefined;
  private storeHasAnswered = false;
  private hotTierHasAnswered = false;
  private versionNumber = 0;
  private readonly firstAnswers = { store: Promise.withResolvers<void>(), hot: Promise.withResolvers<void>() };

  constructor(private readonly options: FleetProjectionOptions) {
    const { log } = options;
    super("fleet", log);
    this.storeError = new RepeatedError({ log, prefix: storeErrorPrefix, ended: "the fleet was read from the store" });
    this.hotTierError = new RepeatedError({
      log,
      prefix: hotTierErrorPrefix,
      ended: "the fleet's newest state is being updated again",
    });
    this.damage = new RepeatedError({
      log,
      prefix: "the fleet lacks newest records that are in damaged blocks",
      ended: "the fleet lacks no newest record any more",
    });
  }

  get version(): number {
    return this.versionNumber;
  }

  get isLoaded(): boolean {
    // a hot tier may be empty because it is new, so only the store can show that the fleet is empty
    return this.storeHasAnswered || (this.hotTierHasAnswered && this.merged.size > 0);
  }

  override error(): string | undefined {
    const hotTier = this.hotTierHasAnswered ? undefined : `${hotTierErrorPrefix}: the hot tier has not answered yet`;
    const errors = [super.error(), this.hotTierError.current ?? hotTier, this.incompleteness, this.damage.current];
    return errors.filter((error) => error !== undefined).join("; ") || undefined;
  }

  nowMs(): number {
    return this.options.clock.nowMs();
  }

  checkComplete(): void {
    const reason = this.incompleteness;
    if (reason !== undefined) throw new StoreUnavailable(reason);
  }

  /** Why the fleet may lack GPUs; undefined if it has all of them. */
  private get incompleteness(): string | undefined {
    const unread = this.storeHasAnswered ? undefined : `${storeErrorPrefix}: the store has not answered yet`;
    return this.storeError.current ?? unread;
  }

  override activity(): string | undefined {
    if (!this.isLoaded) return undefined;
    const { instanceCount } = this;
    const also = instanceCount === 0 ? "" : ` and ${instanceCount} MIG instances`;
    const { twinCount } = this.merged;
    const twins =
      twinCount === 0 ? "" : `; ${twinCount} uuids or hosts differ from others only by upper and lower case`;
    return `${this.gpuCount} GPUs${also} in memory${twins}`;
  }

  /** The number of GPUs, without their MIG instances; 0 while the fleet is not loaded. */
  get gpuCount(): number {
    return this.isLoaded ? this.merged.size - this.merged.instanceCount : 0;
  }

  /** The number of MIG instances; 0 while the fleet is not loaded. */
  get instanceCount(): number {
    return this.isLoaded ? this.merged.instanceCount : 0;
  }

  members(selector: GpuSelector = {}): readonly FleetMember[] {
    if (!this.isLoaded) {
      throw new StoreUnavailable(`the fleet is not loaded yet: ${this.error() ?? "the store has not answered yet"}`);
    }
    return selectedMembers(selector, this.merged.all(), (uuid) => this.merged.get(uuid));
  }

  member(uuid: string): FleetMember | undefined {
    this.members();
    return this.merged.get(uuid);
  }

  gpus(selector: GpuSelector): FleetGpu[] {
    return this.members(selector).map(({ gpu }) => gpu);
  }

  latest(selector: GpuSelector): StoredRecord[] {
    return this.members(selector).flatMap(({ record }) => (record === undefined ? [] : [record]));
  }

  get hostStates(): ReadonlyMap<string, InventoryState> | undefined {
    return this.states?.hosts;
  }

  /** A different number after a GPU was added or changed its place. */
  get placesVersion(): number {
    return this.merged.placesVersion;
  }

  /** Changes the states of GPUs and hosts. */
  setStates(states: PresentStates): void {
    const members = this.merged.setStates(states.devices);
    const isSame = members.length === 0 && isDeepStrictEqual(states.hosts, this.states?.hosts);
    this.states = states;
    if (!isSame) this.tell(members);
  }

  onMembers(listener: (members: readonly FleetMember[]) => void): void {
    this.listeners.push(listener);
    listener(this.merged.all());
  }

  protected override async open(): Promise<void> {
    this.readStore();
    this.unfollow = this.options.hotTier.follow({
      onChanges: (changes) => {
        this.options.onArrived?.(changes.records);
        this.publish(this.merged.merge(changes));
      },
      onFollowing: (afterGap) => this.setFollowing(afterGap),
      onInterrupted: (error) => this.setInterrupted(error),
    });
    const { store, hot } = this.firstAnswers;
    const stopped = new Promise<void>((resolve) => {
      this.stopping.addEventListener("abort", () => resolve(), { once: true });
    });
    const answered = Promise.race([Promise.all([store.promise, hot.promise]), stopped]);
    // a later answer is merged when it arrives
    await endsWithin(this.options.clock, startTimeoutMs, () => answered);
  }

  protected override async close(): Promise<void> {
    await this.unfollow?.();
    await this.reading;
  }

  private publish(members: readonly FleetMember[]): void {
    if (members.length > 0) this.tell(members);
  }

  private tell(members: readonly FleetMember[]): void {
    this.versionNumber += 1;
    for (const sentence of this.merged.takeTwins()) this.options.log.warn(sentence);
    for (const listener of this.listeners) listener(members);
  }

  private setFollowing(afterGap: boolean): void {
    const isFirst = !this.hotTierHasAnswered;
    this.hotTierHasAnswered = true;
    this.hotTierError.clear();
    this.firstAnswers.hot.resolve();
    if (afterGap && !isFirst) this.readStore();
  }

  private setInterrupted(error: Error): void {
    this.hotTierError.record(error);
    this.firstAnswers.hot.resolve();
  }

  /** Reads the store until a read succeeds and finds no damage. With `rereadMs`, the store is then read again after each pause, if it
   *  has changed. Any number of calls during a read cause one more read. */
  private readStore(): void {
    this.mustRead = true;
    this.readAtOnce.abort();
    this.reading ??= this.readUntilCurrent().finally(() => (this.reading = undefined));
  }

  private async readUntilCurrent(): Promise<void> {
    const { clock, rereadMs } = this.options;
    while (this.mustRead && !this.stopping.aborted) {
      this.mustRead = false;
      const elapsedMs = stopwatch();
      if (!(await this.readOnce())) {
        this.mustRead = true;
        await clock.sleep(retryMs, this.stopping);
      } else if (rereadMs !== undefined) {
        this.mustRead = true;
        await clock.sleep(Math.max(rereadMs, elapsedMs() * pausePerRead), this.stopping);
      } else if (this.damage.current !== undefined && !this.mustRead) {
        this.mustRead = true;
        this.readAtOnce = new AbortController();
        await clock.sleep(damagedRetryMs, AbortSignal.any([this.stopping, this.readAtOnce.signal]));
      }
    }
  }

  private async readOnce(): Promise<boolean> {
    const { store, rereadMs } = this.options;
    const known = this.revision;
    this.revision = undefined;
    try {
      const revision = rereadMs === undefined ? undefined : await store.revision();
      const isCurrent = revision !== undefined && revision === known;
      if (!isCurrent && !(await this.readAll())) return true;
      this.revision = this.damage.current === undefined ? revision : undefined;
      this.storeHasAnswered = true;
      this.storeError.clear();
      return true;
    } catch (error) {
      this.storeError.record(error);
      return false;
    } finally {
      this.firstAnswers.store.resolve();
    }
  }

  /** @returns false if the service stops: then nothing was published */
  private async readAll(): Promise<boolean> {
    const { store } = this.options;
    const unreadable: UndecodableBlock[] = [];
    const gpus = await store.gpus({});
    const latest = await store.latest({}, (error) => unreadable.push(error));
    if (this.stopping.aborted) return false;
    this.publish(this.merged.mergeStored(gpus, latest));
    this.noteDamage(unreadable);
    return true;
  }

  private noteDamage([first, ...others]: readonly UndecodableBlock[]): void {
    if (first === undefined) return this.damage.clear();
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    this.damage.record(new UndecodableBlock(`${first.message}${more}`));
  }
}
