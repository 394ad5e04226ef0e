import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { UploadTidying } from "../store/upload-store.ts";

export interface UploadUpkeepOptions {
  readonly uploads: UploadTidying;
  readonly clock: Clock;
  readonly log: Logger;
}

const everyMs = 60_000;
/** A gateway waits 30 s for the next bytes of a sender, and as long for the store. */
const silentMaxSeconds = 180;
const keptUploads = 1000;

/** Ends uploads whose gateway has ended, and keeps the list of uploads short. Several collectors may run this service. */
export class UploadUpkeep extends PeriodicService {
  override readonly isUpkeep = true;

  constructor(private readonly options: UploadUpkeepOptions) {
    super({
      ...options,
      name: "upload-upkeep",
      failing: {
        prefix: "uploads that broke off are kept",
        ended: "uploads that broke off are ended again",
      },
      everyMs,
    });
  }

  protected override async step(): Promise<void> {
    const { uploads, log } = this.options;
    const ended = await uploads.endSilent(silentMaxSeconds);
    if (ended > 0) log.warn(`ended ${ended} uploads that broke off`);
    await uploads.trim(keptUploads);
  }
}
