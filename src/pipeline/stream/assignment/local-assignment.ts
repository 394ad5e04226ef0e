import { gapsIn, type Range } from "../../../domain/range.ts";
import type { ReplayableSource } from "../../source/source.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";
import type { ClaimedRange, RangeAssignment } from "./range-assignment.ts";

const never = new AbortController().signal;

/** Assigns the ranges that the store does not have. No other process may read the source. No checkpoint is needed: messages
 *  that are lost with the memory queue leave gaps in the store, and the next start fills the gaps. */
export class LocalAssignment implements RangeAssignment {
  /** The ranges of the current source that are neither stored nor claimed. */
  private open: { readonly sourceId: string; readonly gaps: Range[] } | undefined;

  /** @param rangeBytes approximate size of the range that is claimed; absent: all that lies between two stored ranges */
  constructor(
    private readonly store: Pick<TelemetryStore, "progressOf">,
    private readonly rangeBytes?: number,
  ) {}

  async covered({ sourceId, whole }: ReplayableSource): Promise<readonly Range[]> {
    const { stored } = await this.store.progressOf(sourceId);
    this.open = { sourceId, gaps: gapsIn(whole, stored) };
    return stored;
  }

  async claim(source: ReplayableSource, signal: AbortSignal): Promise<ClaimedRange | undefined> {
    if (this.open?.sourceId !== source.sourceId) await this.covered(source);
    const share = this.open?.gaps.length ?? 0;
    const range = await this.nextRange(source, signal);
    if (range === undefined) return undefined;
    return {
      range,
      share,
      checkpoint: undefined,
      lost: never,
      finish: () => Promise.resolve(),
      release: () => Promise.resolve(),
    };
  }

  forget(): Promise<void> {
    this.open = undefined;
    return Promise.resolve();
  }

  private async nextRange(source: ReplayableSource, signal: AbortSignal): Promise<Range | undefined> {
    const gap = signal.aborted ? undefined : this.open?.gaps.shift();
    if (gap === undefined || this.rangeBytes === undefined) return gap;
    for await (const { to } of source.planRanges(gap.from, this.rangeBytes, signal)) {
      if (to.offset >= gap.to.offset) return gap;
      this.open?.gaps.unshift({ from: to, to: gap.to });
      return { from: gap.from, to };
    }
    return signal.aborted ? undefined : gap;
  }

  /** The positions are in the store itself. */
  positionsLost(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
