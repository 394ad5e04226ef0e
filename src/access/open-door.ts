import type { Logger } from "pino";
import { BaseService } from "../kit/base-service.ts";

/** What AUTH=off means, for the log, the banner and /health. */
export const openDoorNotice = "AUTH=off: everyone who reaches the port may read and change everything";

/** Says that nothing is protected. */
export class OpenDoor extends BaseService {
  constructor(private readonly log: Logger) {
    super("access", log);
  }

  override activity(): string {
    return openDoorNotice;
  }

  protected override run(): Promise<void> {
    this.log.warn(openDoorNotice);
    return Promise.resolve();
  }
}
