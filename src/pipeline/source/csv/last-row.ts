import type { Clock } from "../../../kit/clock.ts";
import type { FileGuard } from "../file/file-guard.ts";
import type { FileStatus } from "../file/file-status.ts";

export interface LastRowOptions {
  readonly path: string;
  readonly guard: Pick<FileGuard, "check">;
  readonly clock: Clock;
  /** Called at most once: when the last row must wait. */
  readonly onUnfinished: (message: string) => void;
}

/** How long a file must stay unchanged until its writer counts as finished. For a file that was written in one go, the shortest
 *  time is enough. A program that logs into a file writes a block of 4 or 8 KiB at a time, which ends in the middle of a row: at
 *  100 bytes per second, a block takes up to 80 s. */
const unchangedMinMs = 10_000;
const unchangedMaxMs = 120_000;
const checkEveryMs = 250;

/** Decides whether the row in which a file ends is whole. It has no line end, or an open quote: its writer may be in the middle
 *  of a number or of a quoted value.
 *
 *  If the file grows, the row may continue in the new bytes. The row is whole if the last write was at least `unchangedMaxMs` ago,
 *  or if the file has been watched without a change for as long as its writing took (at least `unchangedMinMs`). */
export class LastRow {
  private hasReported = false;

  constructor(private readonly options: LastRowOptions) {}

  /** @param row the row's line, and the file's size when the row was read
   *  @returns the file's size if it has grown; undefined if the row is whole, or the signal has aborted
   *  @throws UnusableSource if the file was shortened, deleted or replaced */
  async grownTo(
    row: { readonly line: number; readonly fileBytes: number },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { guard, clock } = this.options;
    let status = await guard.check();
    let unchangedSinceMs = clock.nowMs();
    while (!signal.aborted) {
      if (status.sizeBytes > row.fileBytes) return status.sizeBytes;
      const nowMs = clock.nowMs();
      const waitMs = unchangedMsOf(status);
      if (nowMs - status.modifiedMs >= unchangedMaxMs || nowMs - unchangedSinceMs >= waitMs) return undefined;
      this.reportWait(row.line, waitMs);
      await clock.sleep(checkEveryMs, signal);
      const { modifiedMs } = status;
      status = await guard.check();
      if (status.modifiedMs !== modifiedMs) unchangedSinceMs = clock.nowMs();
    }
    return undefined;
  }

  private reportWait(line: number, waitMs: number): void {
    if (this.hasReported) return;
    this.hasReported = true;
    const { path, onUnfinished } = this.options;
    onUnfinished(
      `${path} ends within the row at line ${line}: the row has no line end, or an open quote. Its writer may not have finished it, so it is read when its end arrives, or when the file has not changed for ${Math.round(waitMs / 1000)} s; to read it immediately, close its quotes and end it with a line end.`,
    );
  }
}

function unchangedMsOf({ createdMs, modifiedMs }: FileStatus): number {
  return Math.min(unchangedMaxMs, Math.max(unchangedMinMs, modifiedMs - createdMs));
}
