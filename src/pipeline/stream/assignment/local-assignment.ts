import type { Stretch } from "../../../domain/range.ts";
import { gapsOf } from "./gaps.ts";
import type { ReadRange, Source } from "../../source/source.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";
import type { ClaimedRange, RangeAssignment } from "./range-assignment.ts";

const never = new AbortController().signal;

/** The ranges of a process that is alone with its store: what is not stored is left to read. Needs no checkpoint: what
 *  the queue in memory held when the process died is a gap in the store. */
export class LocalAssignment implements RangeAssignment {
  /** What is left of the source that is being read. */
  private open: { readonly sourceId: string; readonly gaps: ReadRange[] } | undefined;

  constructor(private readonly store: Pick<TelemetryStore, "progressOf">) {}

  async covered(source: Source): Promise<readonly Stretch[]> {
    const { stored } = await this.store.progressOf(source.sourceId);
    this.open = { sourceId: source.sourceId, gaps: gapsOf(source.start, source.endOffset, stored) };
    return stored;
  }

  async claim(source: Source, signal: AbortSignal): Promise<ClaimedRange | undefined> {
    if (this.open?.sourceId !== source.sourceId) await this.covered(source);
    const range = signal.aborted ? undefined : this.open?.gaps.shift();
    if (range === undefined) return undefined;
    return {
      range,
      checkpoint: undefined,
      lost: never,
      finish: () => Promise.resolve(),
      release: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
