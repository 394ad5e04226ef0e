import type { LiveSource } from "../../source/source.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";
import { knownPosition } from "./known-position.ts";
import type { ClaimedSource, LiveAssignment } from "./live-assignment.ts";

const never = new AbortController().signal;

/** Assigns live sources that no other process reads. A claim need not wait, and reading continues after the last stored
 *  batch. */
export class LocalLiveAssignment implements LiveAssignment {
  constructor(
    private readonly store: Pick<TelemetryStore, "latestInstantMs">,
    private readonly clock: Clock,
  ) {}

  async claim({ sourceId }: LiveSource, signal: AbortSignal): Promise<ClaimedSource | undefined> {
    if (signal.aborted) return undefined;
    const latestMs = await this.store.latestInstantMs(sourceId);
    return {
      ...knownPosition(latestMs, this.clock.nowMs()),
      checkpoint: undefined,
      lost: never,
      release: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
