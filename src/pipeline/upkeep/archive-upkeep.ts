import type { Logger } from "pino";
import type { ArchivedFile, OpenHours } from "../../domain/archive.ts";
import { ArchiveUnavailable, StoreUnavailable } from "../../domain/errors.ts";
import { hourMs } from "../../domain/time-range.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { ArchiveFigures, ArchiveLedger } from "../store/archive-ledger.ts";
import { settleAge } from "../store/history-settling.ts";
import type { ArchiveFiles } from "./archive/archive-files.ts";
import { HourWriter, type HourWriterOptions } from "./archive/hour-writer.ts";

export interface ArchiveUpkeepOptions extends Omit<HourWriterOptions, "files"> {
  readonly ledger: ArchiveLedger;
  readonly files: ArchiveFiles;
  /** How long an hour must be over before it is written, ARCHIVE_AFTER_MINUTES. */
  readonly afterMinutes: number;
  /** Names this process. */
  readonly instanceId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A third of the time for which a process leads that does not say that it goes on. */
const intervalMs = 10_000;
/** To find hours, all hours of the history are looked through. */
const searchEveryMs = 60_000;

/** Another process leads. */
class LostLead extends Error {}

/** Writes the records of hours that are over to files, the oldest hour first, and again when records have come late: a service of every
 *  process that stores records. The database lets one lead at a time; another one takes over when it dies. What is archived is noted in
 *  the database, so an hour that was being written is written again. */
export class ArchiveUpkeep extends PeriodicService {
  override readonly isUpkeep = true;
  private figures: ArchiveFigures = { files: 0, records: 0, bytes: 0, seconds: 0, waiting: undefined };
  private isLeading = false;
  private openHours: OpenHours | undefined;
  private lastFailure: string | undefined;
  private sinceSearchMs: () => number = () => Infinity;
  private sinceLeadMs: () => number = () => Infinity;
  private readonly writer: HourWriter;

  constructor(private readonly options: ArchiveUpkeepOptions) {
    super({
      ...options,
      name: "archive",
      failing: {
        prefix: "the archive is not written, so that no record that is not in it is deleted",
        ended: "the archive is written again",
      },
      // for a fraction of a minute, as in tests, hours are looked for more often
      everyMs: Math.min(intervalMs, Math.max(200, options.afterMinutes * 1000)),
    });
    this.writer = new HourWriter(options);
  }

  /** For the instruments. */
  get current(): ArchiveFigures {
    return this.figures;
  }

  override activity(): string {
    const { files } = this.options;
    if (!this.isLeading) return `another process writes the archive to ${files.description}`;
    const { over = 0, firstOver } = this.openHours ?? {};
    const waits = firstOver === undefined ? "" : `; ${over} hour(s) wait, from ${formatTimestamp(firstOver)} on`;
    return `hours that are over are written to ${files.description}${waits}`;
  }

  protected override async step(): Promise<void> {
    try {
      await this.round();
    } catch (error) {
      if (error instanceof LostLead) return this.leave();
      this.lastFailure = messageOf(error);
      await this.report(false).catch(() => undefined);
      throw error;
    }
  }

  protected override async close(): Promise<void> {
    await this.report(true).catch(() => undefined);
  }

  private async round(): Promise<void> {
    await this.lead();
    const searchMs = this.options.afterMinutes < 1 ? 0 : searchEveryMs;
    if (this.lastFailure === undefined && this.sinceSearchMs() < searchMs) return;
    const { due } = await this.search();
    let failure: Error | undefined;
    for (const hour of due) {
      if (this.stopping.aborted) return;
      await this.writeHour(hour).catch((error: unknown) => {
        if (isGeneral(error)) throw error;
        // an hour that cannot be written does not keep later ones from it
        failure ??= error as Error;
      });
    }
    if (due.length > 0) await this.search();
    if (failure !== undefined) throw failure;
    this.lastFailure = undefined;
    await this.report(false);
    this.sinceSearchMs = stopwatch();
  }

  private async search(): Promise<OpenHours> {
    const { ledger, afterMinutes } = this.options;
    const age = settleAge(afterMinutes);
    this.openHours = await ledger.open(age);
    const { nowMs, over, firstOver } = this.openHours;
    const lagMs = firstOver === undefined ? 0 : nowMs - (firstOver + hourMs + age.afterMs);
    this.figures = { ...this.figures, waiting: { hours: over, lagSeconds: Math.max(0, lagMs / 1000) } };
    return this.openHours;
  }

  private async writeHour(hour: number): Promise<void> {
    const { ledger, instanceId, log } = this.options;
    const elapsedMs = stopwatch();
    await this.goOn();
    const begun = await ledger.begin(hour, instanceId);
    if (begun === "hour is busy") return;
    if (typeof begun === "string") throw new LostLead();
    const files = await this.writer.write(hour, begun, () => this.goOn());
    if ((await ledger.complete(hour, instanceId, files)) !== "done") throw new LostLead();
    this.count(files, elapsedMs());
    const records = files.reduce((sum, file) => sum + file.records, 0);
    log.debug(`archived ${records} records of the hour from ${formatTimestamp(hour)} in ${files.length} file(s)`);
  }

  private count(files: readonly ArchivedFile[], tookMs: number): void {
    const sum = (of: (file: ArchivedFile) => number): number => files.reduce((total, file) => total + of(file), 0);
    const { figures } = this;
    this.figures = {
      ...figures,
      files: figures.files + files.length,
      records: figures.records + sum(({ records }) => records),
      bytes: figures.bytes + sum(({ bytes }) => bytes),
      seconds: figures.seconds + tookMs / 1000,
    };
  }

  /** Called between parts of the work. @throws LostLead; the reason of the stop */
  private async goOn(): Promise<void> {
    this.stopping.throwIfAborted();
    if (this.sinceLeadMs() >= intervalMs / 2) await this.lead();
  }

  private async lead(): Promise<void> {
    const { ledger, instanceId: holder, files } = this.options;
    this.isLeading = await ledger.lead({ holder, place: files.description });
    this.sinceLeadMs = stopwatch();
    if (!this.isLeading) throw new LostLead();
  }

  private leave(): void {
    this.isLeading = false;
    this.openHours = undefined;
    this.figures = { ...this.figures, waiting: undefined };
  }

  private async report(ends: boolean): Promise<void> {
    if (!this.isLeading) return;
    const { over: waitingHours = 0, firstOver: waitingFromMs } = this.openHours ?? {};
    await this.options.ledger.report(
      this.options.instanceId,
      { waitingHours, waitingFromMs, failure: this.lastFailure },
      ends,
    );
  }
}

/** True for an error that the next hour would have, too. */
function isGeneral(error: unknown): boolean {
  return [LostLead, StoreUnavailable, ArchiveUnavailable].some((each) => error instanceof each);
}
