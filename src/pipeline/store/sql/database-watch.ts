import type { SqlClient } from "../../../db/client.ts";
import { type DatabaseState, readDatabaseState } from "../../../db/sql/database-state.ts";
import type { MessageKey } from "../../../db/sql/folded-messages.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { DatabaseChange, DatabaseChangeKind, OnDatabaseChange } from "../database-change.ts";

export interface DatabaseWatchOptions {
  readonly client: SqlClient;
  /** The database's address, for messages; contains no secrets. */
  readonly place: string;
  readonly clock: Clock;
  readonly onChange: OnDatabaseChange;
}

/** How long /health reports a change: long enough for a person to look at it after an alert. */
const noticeMs = 60 * 60_000;

/** Notices that another database answers at the same address, or an older state of the same one: after a failover, a restore,
 *  or a change of a name service. An idle connection may be replaced without an error.
 *
 *  Every use of the database reports its incarnation (`saw`). If that has changed, the watch reads the database's identity, and
 *  looks up the last message that this process stored. Databases replicate and restore in the order of commits, so a database
 *  that has this message has everything that this process stored. */
export class DatabaseWatch {
  private incarnation = "";
  private state: DatabaseState | undefined;
  /** The last message that this process stored in the current incarnation. */
  private lastMessage: MessageKey | undefined;
  /** True until the current incarnation has been compared with the one before it. */
  private isNew = false;
  /** The last message that this process stored before the incarnation changed. */
  private landmark: MessageKey | undefined;
  private comparing: Promise<void> | undefined;
  private isMigrated = false;
  private noticed: (DatabaseChange & { readonly untilMs: number }) | undefined;

  constructor(private readonly options: DatabaseWatchOptions) {}

  /** Reports a use of the database. Call it after the transaction is committed.
   *  @param message the message that the transaction has stored, or has found stored */
  async saw(incarnation: string, message?: MessageKey): Promise<void> {
    if (incarnation !== this.incarnation) {
      if (!this.isNew) this.landmark = this.lastMessage;
      this.isNew = true;
      this.incarnation = incarnation;
    }
    this.lastMessage = message ?? this.lastMessage;
    if (!this.isNew) return;
    // an error of the comparison is no error of the use: the next use repeats the comparison
    this.comparing ??= this.compare().finally(() => (this.comparing = undefined));
    await this.comparing.catch(() => undefined);
  }

  /** Reports once that a newer version has migrated the database, in a way that this program can work with. */
  migratedByNewer(): void {
    if (this.isMigrated) return;
    this.isMigrated = true;
    const { place, clock, onChange } = this.options;
    const text =
      `a newer version of this program has migrated the database at ${place}: this process stores new records, but leaves settling ` +
      "history to the newer version";
    const change = { kind: "migrated", text } as const;
    this.noticed = { ...change, untilMs: clock.nowMs() + noticeMs };
    onChange(change);
  }

  /** The last change that was more than a restart, for an hour; undefined if there was none. */
  notice(): DatabaseChange | undefined {
    return this.noticed !== undefined && this.options.clock.nowMs() < this.noticed.untilMs ? this.noticed : undefined;
  }

  private async compare(): Promise<void> {
    const { client, clock, onChange } = this.options;
    const before = this.state;
    const state = await readDatabaseState(client, this.landmark);
    this.state = state;
    this.isNew = state.incarnation !== this.incarnation;
    if (before === undefined) return;
    const change = this.changeOf(before, state);
    // two servers that answer in turn, behind one address, are reported once
    const isKnown = change.text === this.notice()?.text;
    if (change.kind !== "restarted") this.noticed = { ...change, untilMs: clock.nowMs() + noticeMs };
    if (!isKnown) onChange(change);
  }

  private changeOf(before: DatabaseState, { systemId, timeline, hasMessage }: DatabaseState): DatabaseChange {
    const differences = [
      ...differenceOf("system identifier", before.systemId, systemId),
      ...differenceOf("timeline", before.timeline, timeline),
    ];
    const [kind, text] = judged(differences.length > 0, hasMessage);
    const details = differences.length === 0 ? "" : ` (${differences.join(", ")})`;
    const lost = hasMessage
      ? ""
      : `; it lacks message ${this.landmark?.messageId}, which this process had stored, and others may be lost`;
    const advice = hasMessage ? "" : ": see docs/operations.md, After a failover or a restore";
    return { kind, text: `${text} ${this.options.place}${details}${lost}${advice}` };
  }
}

function judged(isOther: boolean, hasMessage: boolean): [DatabaseChangeKind, string] {
  if (!hasMessage) return ["went_back", "an older or another database answers at"];
  return isOther ? ["replaced", "another database server answers at"] : ["restarted", "the database was restarted at"];
}

function differenceOf(name: string, before: string | undefined, after: string | undefined): string[] {
  if (before === undefined || after === undefined || before === after) return [];
  return [`${name} ${before} before, ${after} now`];
}
