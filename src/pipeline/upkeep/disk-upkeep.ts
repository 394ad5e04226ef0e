import type { Logger } from "pino";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { StoreDisk } from "../store/store-disk.ts";

export interface DiskUpkeepOptions {
  readonly disk: StoreDisk;
  readonly clock: Clock;
  readonly log: Logger;
}

const intervalMs = 5000;
const gibibyte = 1024 ** 3;

/** Keeps the files of the embedded store small. Stopping ends a deletion early; the next start goes on with it. */
export class DiskUpkeep extends PeriodicService {
  override readonly isUpkeep = true;
  private records = 0;
  /** Where the history begins since history was deleted. */
  private oldest: string | undefined;

  constructor(private readonly options: DiskUpkeepOptions) {
    super({
      ...options,
      name: "disk",
      failing: {
        prefix: "the files of DATA_DIR are not kept small",
        ended: "the files of DATA_DIR are kept small again",
      },
      everyMs: intervalMs,
    });
  }

  /** Records that were deleted since the start. */
  get trimmedRecords(): number {
    return this.records;
  }

  override activity(): string {
    const { bytes, reusableBytes, maxBytes } = this.options.disk.use();
    const used = `${inGibibytes(bytes - reusableBytes)} GiB in use, files of ${inGibibytes(bytes)} GiB`;
    if (maxBytes === undefined) return `${used}, without a limit`;
    const trimmed = this.oldest === undefined ? "" : `; the oldest history is deleted, up to ${this.oldest}`;
    return `${used}, at most ${inGibibytes(maxBytes)} GiB (DATA_MAX_GIB)${trimmed}`;
  }

  protected override async step(): Promise<void> {
    const { disk, log } = this.options;
    const trimmed = await disk.tidy(this.stopping);
    if (trimmed === undefined) return;
    const { records, rollups, oldestMs } = trimmed;
    this.records += records;
    this.oldest = oldestMs === undefined ? "now" : formatTimestamp(oldestMs);
    const text = `DATA_DIR has almost reached DATA_MAX_GIB: deleted ${records} of the oldest records${rollups === 0 ? "" : ` and ${rollups} of the oldest rollups`}; history now begins at ${this.oldest}`;
    log.warn(text);
  }
}

function inGibibytes(bytes: number): string {
  return (bytes / gibibyte).toFixed(2);
}
