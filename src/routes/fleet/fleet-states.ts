import type { Logger } from "pino";
import { StoreUnavailable } from "../../domain/errors.ts";
import { type InventoryState, returnGraceMs, type StateSpan } from "../../domain/inventory.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { endsWithin } from "../../kit/within.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";
import { hostKey } from "../schemas/hierarchy.ts";
import type { FleetProjection } from "./fleet-projection.ts";

export interface FleetStatesOptions {
  readonly store: Pick<FleetQueries, "stateSpans">;
  readonly fleet: FleetProjection;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long the start waits for the first answer of the store. */
const startTimeoutMs = 5000;
/** The pause between two questions to the store. */
const pauseMs = 3000;
/** How late a state may begin or end that was known before. */
const tickMs = 1000;

/** Tells the fleet which of its GPUs and hosts are under maintenance or decommissioned. The store computes the spans of each one; this
 *  service asks for them when the inventory has changed, when a GPU is new or has moved, and when a decommissioned GPU has reported. What
 *  begins or ends by itself does so here, by the clock of the store, also while the store does not answer. */
export class FleetStates extends BaseService {
  private known: { readonly version: string; readonly placesVersion: number } | undefined;
  private spans: readonly StateSpan[] = [];
  /** The clock of the store minus the clock of this process. */
  private storeAheadMs = 0;
  /** When the next span begins or ends, by the clock of the store. */
  private nextChangeAtMs = Infinity;
  /** When decommissioned GPUs were last seen for which the store was asked whether they are back, by uuid. */
  private askedFor: ReadonlyMap<string, number> = new Map();
  private readonly storeError = this.repeatedError({
    prefix: "GPUs and hosts may be shown with former states or without states",
    ended: "the states of GPUs and hosts are read again",
  });

  constructor(private readonly options: FleetStatesOptions) {
    super("states", options.log);
  }

  /** Asks the store once. Errors are reported, not thrown. */
  async check(): Promise<void> {
    const { store, fleet, clock } = this.options;
    const { placesVersion } = fleet;
    const reported = this.reportedSince();
    const isCurrent = this.known?.placesVersion === placesVersion && !this.isNewIn(reported);
    try {
      const { version, nowMs, spans } = await store.stateSpans(isCurrent ? this.known?.version : undefined);
      if (this.stopping.aborted) return;
      this.known = { version, placesVersion };
      this.storeAheadMs = nowMs - clock.nowMs();
      this.askedFor = reported;
      this.storeError.clear();
      if (spans === undefined) return;
      this.spans = spans;
    } catch (error) {
      this.storeError.record(error);
      return;
    }
    this.apply();
  }

  protected override async open(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.stopping.addEventListener("abort", () => resolve(), { once: true });
    });
    // a later answer is applied when it arrives
    await endsWithin(this.options.clock, startTimeoutMs, () => Promise.race([this.check(), stopped]));
  }

  protected override async run(): Promise<void> {
    // an answer of the store that takes long delays no state that was known before
    await Promise.all([
      this.repeat(pauseMs, () => this.check()),
      this.repeat(tickMs, () => {
        if (this.presentMs() >= this.nextChangeAtMs) this.apply();
      }),
    ]);
  }

  private async repeat(everyMs: number, work: () => Promise<void> | void): Promise<void> {
    for (;;) {
      await this.options.clock.sleep(everyMs, this.stopping);
      if (this.stopping.aborted) return;
      await work();
    }
  }

  private presentMs(): number {
    return this.options.clock.nowMs() + this.storeAheadMs;
  }

  private apply(): void {
    const nowMs = this.presentMs();
    const devices = new Map<string, InventoryState>();
    const hosts = new Map<string, InventoryState>();
    this.nextChangeAtMs = Infinity;
    for (const { clusterId, hostname, uuid, state, fromMs, toMs } of this.spans) {
      if (nowMs >= toMs) continue;
      this.nextChangeAtMs = Math.min(this.nextChangeAtMs, nowMs < fromMs ? fromMs : toMs);
      if (nowMs < fromMs) continue;
      if (uuid === "") hosts.set(hostKey(clusterId, hostname), state);
      else devices.set(uuid, state);
    }
    this.options.fleet.setStates({ devices, hosts });
  }

  /** The decommissioned GPUs with records that may bring them back, and when they were last seen. The store decides whether they are
   *  back. */
  private reportedSince(): ReadonlyMap<string, number> {
    const { fleet } = this.options;
    const reported = new Map<string, number>();
    if (!fleet.isLoaded) return reported;
    for (const { uuid, state, fromMs } of this.spans) {
      const lastSeenAtMs = state === "decommissioned" ? fleet.member(uuid)?.gpu.lastSeenAtMs : undefined;
      if (lastSeenAtMs !== undefined && lastSeenAtMs > fromMs + returnGraceMs) reported.set(uuid, lastSeenAtMs);
    }
    return reported;
  }

  private isNewIn(reported: ReadonlyMap<string, number>): boolean {
    return [...reported].some(([uuid, lastSeenAtMs]) => this.askedFor.get(uuid) !== lastSeenAtMs);
  }
}

/** Those of the GPUs or hosts that are in a state; all of them without a state.
 *  @throws StoreUnavailable if the inventory has not been read yet */
export function inState<Element extends { readonly state?: InventoryState | undefined }>(
  elements: readonly Element[],
  state: InventoryState | undefined,
): readonly Element[] {
  if (state === undefined) return elements;
  return elements.filter((element) => {
    if (element.state === undefined) {
      throw new StoreUnavailable("the states of GPUs and hosts are not known: the store has not answered yet");
    }
    return element.state === state;
  });
}
