import type { SqlClient } from "../../../db/client.ts";
import { selectArchiveFiles } from "../../../db/sql/archive-files.ts";
import {
  beginArchiveHour,
  completeArchiveHour,
  reopenArchiveHour,
  selectArchivedHour,
  selectOpenHours,
} from "../../../db/sql/archive-hours.ts";
import {
  endArchiveLead,
  holdArchiveLead,
  reportArchive,
  selectArchiveState,
  takeArchiveLead,
} from "../../../db/sql/archive-lead.ts";
import { limitSettling, tryHours } from "../../../db/sql/hour-locks.ts";
import type {
  ArchivedFile,
  ArchiveFilter,
  ArchiveReport,
  ArchiveSelection,
  ArchiveState,
  ListedArchiveFile,
  OpenHours,
} from "../../../domain/archive.ts";
import type { ArchiveLead, ArchiveLedger, ArchiveOutcome } from "../archive-ledger.ts";
import type { SettleAge } from "../history-settling.ts";

/** What the archive has, in SQL. */
export class SqlArchiveLedger implements ArchiveLedger {
  constructor(private readonly client: SqlClient) {}

  lead({ holder, place }: ArchiveLead): Promise<boolean> {
    return this.client.transaction((transaction) => takeArchiveLead(transaction, holder, place));
  }

  async report(holder: string, report: ArchiveReport, ends: boolean): Promise<void> {
    await reportArchive(this.client, holder, report);
    if (ends) await endArchiveLead(this.client, holder);
  }

  open(age: SettleAge): Promise<OpenHours> {
    return selectOpenHours(this.client, age);
  }

  begin(hour: number, holder: string): Promise<readonly Pick<ArchivedFile, "clusterId" | "path">[] | ArchiveOutcome> {
    return this.client.transaction(async (transaction) => {
      limitSettling(transaction);
      if ((await tryHours(transaction, [hour])) !== "held") return "hour is busy";
      if (!(await holdArchiveLead(transaction, holder))) return "led by another";
      beginArchiveHour(transaction, hour);
      return selectArchivedHour(transaction, hour);
    });
  }

  async complete(hour: number, holder: string, files: readonly ArchivedFile[]): Promise<ArchiveOutcome> {
    const isLeading = await this.client.transaction(async (transaction) => {
      if (!(await holdArchiveLead(transaction, holder))) return false;
      completeArchiveHour(transaction, hour, files);
      return true;
    });
    if (isLeading) return "done";
    // this process may have replaced a file that the one after it has written
    await reopenArchiveHour(this.client, hour);
    return "led by another";
  }

  files(filter: ArchiveFilter): Promise<readonly ListedArchiveFile[]> {
    return selectArchiveFiles(this.client, filter);
  }

  state(selection?: ArchiveSelection): Promise<ArchiveState> {
    return selectArchiveState(this.client, selection);
  }
}
