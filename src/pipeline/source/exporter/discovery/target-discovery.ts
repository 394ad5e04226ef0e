import type { Target } from "../target.ts";

/** Finds targets: in a setting, in a file, in the name service. */
export interface TargetDiscovery {
  /** Where the targets come from, for messages: "DCGM_TARGETS_FILE=targets.yaml". */
  readonly description: string;
  /** Why the targets may have changed without being noticed, for people; undefined if they are as `follow` passed them. */
  readonly error: string | undefined;
  /** Passes all targets on, first when they are known, then after every change, until the signal aborts. After an error, the
   *  last targets stay until they can be read again; each error is logged once.
   *  @param onTargets must not throw
   *  @returns when the signal has aborted; `onTargets` is not called after that */
  follow(onTargets: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void>;
}
