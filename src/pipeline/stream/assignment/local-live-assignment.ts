import type { LiveSource } from "../../source/source.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";
import type { ClaimedSource, LiveAssignment } from "./live-assignment.ts";

const never = new AbortController().signal;

/** Assigns live sources that no other process reads. A claim need not wait, and reading continues after the last stored
 *  batch. */
export class LocalLiveAssignment implements LiveAssignment {
  constructor(private readonly store: Pick<TelemetryStore, "latestInstantMs">) {}

  async claim({ sourceId }: LiveSource, signal: AbortSignal): Promise<ClaimedSource | undefined> {
    if (signal.aborted) return undefined;
    const latestMs = await this.store.latestInstantMs(sourceId);
    return {
      afterMs: latestMs ?? -Infinity,
      checkpoint: undefined,
      lost: never,
      release: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
