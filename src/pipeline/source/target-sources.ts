import type { LiveSource } from "./source.ts";
import type { DroppedReading } from "../../domain/reading.ts";

/** Sources that have come or gone. A source that reads its target differently than before is removed and added. */
export interface SourcesChange {
  readonly added: readonly LiveSource[];
  readonly removed: readonly LiveSource[];
}

/** The live sources of all targets that are known: one for each target, the same in every process that has the same settings. Which
 *  process reads which source is decided elsewhere. */
export interface TargetSources {
  /** A description for people, such as "exporters of DCGM_TARGETS". */
  readonly description: string;
  /** The sources that are known now. It is empty until `follow` has found targets. */
  readonly current: readonly LiveSource[];
  /** Why targets may have come or gone without being noticed, for people; undefined if all are known. */
  readonly error: string | undefined;
  /** Follows the targets until the signal aborts. `current` has already changed when `onChange` is called. Call it once at a time.
   *  @param onChange must not throw
   *  @returns when the signal has aborted; `onChange` is not called after that */
  follow(onChange: (change: SourcesChange) => void, signal: AbortSignal): Promise<void>;
  /** Scrapes of a source were read, but could not be published, and are missed. */
  dropped(sourceId: string, reading: DroppedReading): void;
}
