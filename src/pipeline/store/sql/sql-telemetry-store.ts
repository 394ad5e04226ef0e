import type { RecordBatch, RejectReason } from "../../../domain/batch.ts";
import { NeedsNewerVersion, StoreUnavailable } from "../../../domain/errors.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { type DatabaseSchema, newestKnownMigrationMs } from "../../../db/migrations.ts";
import { markContested } from "../../../db/sql/contested-gpus.ts";
import {
  type InsertedMessages,
  insertMessages,
  type MessageRecords,
  type MessageRow,
  setMessageRecords,
  type StoringPlace,
} from "../../../db/sql/insert-message.ts";
import { foldedAmong, type MessageKey, withdrawMessages } from "../../../db/sql/folded-messages.ts";
import { insertQuarantine } from "../../../db/sql/insert-quarantine.ts";
import { holdHours, hoursOf } from "../../../db/sql/hour-locks.ts";
import { noteArchiveChanges } from "../../../db/sql/archive-hours.ts";
import { isOver, noteLateHours } from "../../../db/sql/late-hours.ts";
import { haveUnknownValues } from "../../../db/sql/unknown-values.ts";
import type { KeyedBatch } from "./batch-parts.ts";
import { countConflictsOf } from "./conflict-changes.ts";
import type { DatabaseWatch } from "./database-watch.ts";
import { GpuDirectory } from "./gpu-directory.ts";
import { GpuKeys } from "./gpu-keys.ts";
import { GpuStateHistory } from "./gpu-state-history.ts";
import { type Ingesting, IngestGroups } from "./ingest-groups.ts";
import { addMissing, MessageGroup } from "./message-group.ts";
import { SourceLedger } from "./source-ledger.ts";
import { readLatestInstant, readProgress } from "./source-progress.ts";
import { TelemetryWriter, type WriteResult } from "./telemetry-writer.ts";
import { MuchToUnsettle, unsettle, unsettleBefore } from "./unsettle.ts";
import type { IngestMessage, IngestResult, SourceProgress, TelemetryStore } from "../telemetry-store.ts";

export interface SqlTelemetryStoreOptions {
  /** Throws StoreUnavailable if the database does not answer. */
  readonly probe: () => Promise<void>;
  /** The table of the migrations, as SQL names it. @throws StoreUnavailable until it is known */
  readonly journal: () => string;
}

/** History in SQL: PGlite, PostgreSQL or TimescaleDB behind the client. */
export class SqlTelemetryStore implements TelemetryStore {
  private unsettled = 0;
  private readonly directory: GpuDirectory;
  private readonly keys = new GpuKeys();
  private readonly history: GpuStateHistory;
  private readonly writer = new TelemetryWriter();
  private readonly ledger = new SourceLedger();
  private readonly groups = new IngestGroups((messages) => this.store(messages));
  private readonly newestKnownMigrationMs = newestKnownMigrationMs();

  constructor(
    private readonly client: SqlClient,
    private readonly watch: DatabaseWatch,
    private readonly options: SqlTelemetryStoreOptions,
  ) {
    this.directory = new GpuDirectory(client);
    this.history = new GpuStateHistory(client, this.directory);
  }

  get unsettledRecords(): number {
    return this.unsettled;
  }

  ingest(message: IngestMessage): Promise<IngestResult> {
    return this.groups.ingest(message);
  }

  completeChanges(messages: number): Promise<void> {
    return this.history.complete(messages);
  }

  progressOf(sourceId: string): Promise<SourceProgress> {
    return readProgress(this.client, sourceId);
  }

  latestInstantMs(sourceId: string): Promise<number | undefined> {
    return readLatestInstant(this.client, sourceId);
  }

  ping(): Promise<void> {
    return this.options.probe();
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async store(messages: readonly Ingesting[]): Promise<readonly IngestResult[]> {
    const group = new MessageGroup(messages, this.directory);
    try {
      const { incarnation, results, unsettled } = await this.storeUnsettled(group);
      await this.watch.saw(incarnation, lastOf(messages));
      this.unsettled += unsettled;
      messages.forEach((message) => this.ledger.committed(message));
      // also for duplicates: the process that stored the messages may have died before this step
      const contested = await this.history.record(group.gpus, group.lookup);
      const of = ({ gpus }: Ingesting): readonly ContestedGpu[] => {
        if (contested.length === 0) return contested;
        const uuids = new Set(gpus.map(({ gpu }) => gpu.uuid));
        return contested.filter(({ gpu }) => uuids.has(gpu.uuid));
      };
      return messages.map((message, index) => ({ ...(results[index] ?? ofDuplicate), contested: of(message) }));
    } catch (error) {
      this.directory.clear();
      this.ledger.clear();
      throw error;
    }
  }

  private async storeUnsettled(group: MessageGroup): Promise<StoredOnce> {
    const store = (): Promise<StoredOnce> => this.client.transaction((executor) => this.storeOnce(executor, group));
    try {
      return await store();
    } catch (error) {
      if (!(error instanceof MuchToUnsettle)) throw error;
      this.directory.clear();
      this.ledger.clear();
      this.unsettled += await unsettleBefore(this.client, error.gpuHours);
      return store();
    }
  }

  /** @returns the result of each message, by its index; none for a duplicate */
  private async storeOnce(executor: SqlTransaction, group: MessageGroup): Promise<StoredOnce> {
    const { messages } = group;
    const hours = hoursOf(messages.map(({ batch }) => batch.timesMs));
    // before all statements that read
    holdHours(executor, hours);
    noteLateHours(executor, hours.filter(isOver));
    const place = { hours, journal: this.options.journal() };
    const { added, incarnation, schema, settledHours } = await recordMessages(executor, messages, place);
    if (schema.newestMs > this.newestKnownMigrationMs) await this.checkNewer(executor, schema, settledHours);
    this.directory.enter(incarnation);
    this.ledger.enter(incarnation);
    const indexes = messages.flatMap(({ messageId }, index) => (added.has(messageId) ? [index] : []));
    if (indexes.length === 0) return { incarnation, results: [], unsettled: 0 };
    const keyed = group.keyed(indexes, this.keys);
    await addMissing(executor, group, keyed);
    noteArchiveChanges(executor, hours);
    // else they would be settled again at once, and again with each message
    noteLateHours(
      executor,
      settledHours.filter((hour) => !isOver(hour)),
    );
    const unsettled = await unsettleAll(executor, settledHours, keyed);
    const written = await this.writer.write(executor, keyed);
    const results: StoredOnce["results"][number][] = [];
    const rows: MessageRecords[] = [];
    for (const [at, index] of indexes.entries()) {
      const { row, result } = await finished(executor, messages[index] as Ingesting, {
        keyed: keyed[at] as KeyedBatch,
        written: written[at] as WriteResult,
      });
      rows.push(row);
      results[index] = result;
    }
    setMessageRecords(executor, rows);
    const contested = written.flatMap((each) => each.contested);
    await markContested(executor, contested);
    this.ledger.write(
      executor,
      indexes.map((index) => messages[index] as Ingesting),
    );
    return { incarnation, results, unsettled };
  }

  /** Decides whether this program may store in a database that a newer version has migrated.
   *  @throws StoreUnavailable if it may not; NeedsNewerVersion if it would lose values that a newer version has settled */
  private async checkNewer(
    executor: SqlTransaction,
    { neededMs }: DatabaseSchema,
    settledHours: readonly number[],
  ): Promise<void> {
    if (neededMs > this.newestKnownMigrationMs) throw migratedMeanwhile();
    this.watch.migratedByNewer();
    if (settledHours.length > 0 && (await haveUnknownValues(executor, settledHours))) {
      throw new NeedsNewerVersion(
        "records are late for hours whose blocks have values of a newer version of this program, which this one would lose",
      );
    }
  }
}

/** Records messages as stored, except those that have been folded. */
async function recordMessages(
  executor: SqlTransaction,
  messages: readonly Ingesting[],
  place: StoringPlace,
): Promise<InsertedMessages> {
  const [inserted, folded] = await Promise.all([
    insertMessages(executor, messages.map(rowOf), place),
    foldedAmong(executor, messages),
  ]);
  withdrawMessages(executor, [...inserted.added.intersection(folded)]);
  return { ...inserted, added: inserted.added.difference(folded) };
}

/** The last message, without its records: it is remembered. */
function lastOf(messages: readonly Ingesting[]): MessageKey | undefined {
  return messages.slice(-1).map(({ messageId, idempotencyKey, source }) => ({ messageId, idempotencyKey, source }))[0];
}

interface StoredOnce {
  readonly incarnation: string;
  readonly results: readonly (Omit<IngestResult, "contested"> | undefined)[];
  /** Records that became rows again. */
  readonly unsettled: number;
}

function rowOf({ batch, ...message }: Ingesting): MessageRow {
  return { ...message, tally: batch.tally, rejected: countReasons(batch.rejected) };
}

/** Adds what the store has to say about a message whose records are written: conflicts and rejected inputs. */
async function finished(
  executor: SqlTransaction,
  message: Ingesting,
  { keyed, written }: { readonly keyed: KeyedBatch; readonly written: WriteResult },
): Promise<{ readonly row: MessageRecords; readonly result: Omit<IngestResult, "contested"> }> {
  const { messageId, batch } = message;
  const conflicts = await countConflictsOf(executor, keyed, written.conflicts);
  const rejected = [...batch.rejected, ...written.rejected];
  insertQuarantine(executor, message, rejected);
  const reasons = countReasons(rejected);
  const { inserted, merged } = written;
  return {
    row: { messageId, inserted, merged, conflicts, rejected: written.rejected.length === 0 ? undefined : reasons },
    result: { duplicate: false, recordsInserted: inserted, recordsMerged: merged, conflicts, rejected: reasons },
  };
}

/** Makes rows of the blocks of the GPU hours that the batches add to. @returns the number of their records */
async function unsettleAll(
  transaction: SqlTransaction,
  settledHours: readonly number[],
  batches: readonly KeyedBatch[],
): Promise<number> {
  if (settledHours.length === 0) return 0;
  const places = batches.map(({ batch, keys }) => ({
    gpuKeys: Float64Array.from(batch.gpuIndexes, (gpu) => keys[gpu] as number),
    timesMs: batch.timesMs,
  }));
  return unsettle(transaction, settledHours, { records: places });
}

const ofDuplicate = { duplicate: true, recordsInserted: 0, recordsMerged: 0, conflicts: 0, rejected: {} } as const;

/** The error of a process that runs while a newer version migrates the database. The message waits for that version. */
function migratedMeanwhile(): StoreUnavailable {
  return new StoreUnavailable(
    "this program is older than the schema of its database: replace it with the version that migrated the database",
  );
}

function countReasons(rejected: RecordBatch["rejected"]): Partial<Record<RejectReason, number>> {
  const counts: Partial<Record<RejectReason, number>> = {};
  for (const { reason } of rejected) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
