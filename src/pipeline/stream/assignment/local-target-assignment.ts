import type { Clock } from "../../../kit/clock.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";
import type { StreamRetries } from "../stream-retries.ts";
import { knownPosition } from "./known-position.ts";
import type { TargetAssignment, TargetOwner } from "./target-assignment.ts";

const never = new AbortController().signal;

export interface LocalTargetAssignmentOptions {
  readonly store: Pick<TelemetryStore, "latestInstantMs">;
  readonly clock: Clock;
  readonly retries: StreamRetries;
}

/** This process has all targets, because no other shares them. Scraping continues after the last stored scrape. */
export class LocalTargetAssignment implements TargetAssignment {
  private readonly known = new Set<string>();
  private readonly claimed = new Set<string>();
  private changed = Promise.withResolvers<void>();

  constructor(private readonly options: LocalTargetAssignmentOptions) {}

  async run(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.changed.resolve();
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    while (!signal.aborted) {
      this.changed = Promise.withResolvers();
      for (const sourceId of this.known) {
        if (!this.claimed.has(sourceId)) await this.claim(sourceId, owner, signal);
        if (signal.aborted) return;
      }
      await this.changed.promise;
    }
  }

  know(sourceIds: ReadonlySet<string>): void {
    this.known.clear();
    for (const sourceId of sourceIds) this.known.add(sourceId);
    this.changed.resolve();
  }

  release(sourceId: string): Promise<void> {
    this.claimed.delete(sourceId);
    this.changed.resolve();
    return Promise.resolve();
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async claim(sourceId: string, owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const { store, clock, retries } = this.options;
    const latestMs = await retries.retrying(() => store.latestInstantMs(sourceId), signal);
    if (signal.aborted) return;
    this.claimed.add(sourceId);
    const position = knownPosition(latestMs, clock.nowMs());
    owner.claimed({ sourceId, ...position, series: undefined, forMessage: () => undefined, lost: never });
  }
}
