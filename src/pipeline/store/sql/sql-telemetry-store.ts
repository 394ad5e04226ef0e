import type { InputTally, RecordBatch, RejectReason } from "../../../domain/batch.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { joinRanges, type Range } from "../../../domain/range.ts";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { newestKnownMigrationMs } from "../../../db/migrations.ts";
import { markContested } from "../../../db/sql/contested-gpus.ts";
import { insertMessage, setMessageRecords } from "../../../db/sql/insert-message.ts";
import { insertQuarantine } from "../../../db/sql/insert-quarantine.ts";
import { insertGpus } from "../../../db/sql/insert-gpus.ts";
import { holdHours, hoursOf } from "../../../db/sql/hour-locks.ts";
import { insertReported } from "../../../db/sql/reported-attributes.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import type { KeyedBatch } from "./batch-parts.ts";
import { countConflictsOf } from "./conflict-changes.ts";
import type { DatabaseWatch } from "./database-watch.ts";
import { GpuDirectory, GpuLookup } from "./gpu-directory.ts";
import { GpuKeys } from "./gpu-keys.ts";
import { GpuStateHistory } from "./gpu-state-history.ts";
import { type ObservedGpu, observedGpus } from "./observed-gpus.ts";
import { SourceLedger } from "./source-ledger.ts";
import { TelemetryWriter } from "./telemetry-writer.ts";
import { unsettle } from "./unsettle.ts";
import type { IngestMessage, IngestResult, SourceProgress, SourceTotals, TelemetryStore } from "../telemetry-store.ts";

/** History in SQL: PGlite, PostgreSQL or TimescaleDB behind the client. */
export class SqlTelemetryStore implements TelemetryStore {
  private readonly directory: GpuDirectory;
  private readonly keys = new GpuKeys();
  private readonly history: GpuStateHistory;
  private readonly writer = new TelemetryWriter();
  private readonly ledger = new SourceLedger();
  private readonly newestKnownMigrationMs = newestKnownMigrationMs();

  constructor(
    private readonly client: SqlClient,
    private readonly watch: DatabaseWatch,
    private readonly probe: () => Promise<void>,
  ) {
    this.directory = new GpuDirectory(client);
    this.history = new GpuStateHistory(client, this.directory);
  }

  async ingest(message: IngestMessage): Promise<IngestResult> {
    const gpus = observedGpus(message.batch);
    const lookup = new GpuLookup(
      this.directory,
      gpus.map(({ gpu }) => gpu.uuid),
    );
    try {
      const { incarnation, ...result } = await this.client.transaction((executor) =>
        this.storeOnce(executor, message, { gpus, lookup }),
      );
      await this.watch.saw(incarnation, message.messageId);
      this.ledger.committed(message, gpus);
      // also for a duplicate: the process that stored the message may have died before this step
      return { ...result, contested: await this.history.record(gpus, lookup) };
    } catch (error) {
      this.directory.clear();
      this.ledger.clear();
      throw error;
    }
  }

  async progressOf(sourceId: string): Promise<SourceProgress> {
    const ranges = await this.client.query<RangeRow>(rangesText, [sourceId]);
    const [sums] = await this.client.query<SumsRow>(sumsText, [sourceId]);
    const reasons = await this.client.query<{ reason: RejectReason; count: number }>(reasonsText, [sourceId]);
    return {
      stored: joinRanges(ranges.map(rangeOf)),
      totals: {
        ...(sums as SumsRow),
        rejected: Object.fromEntries(reasons.map(({ reason, count }) => [reason, count])),
      },
    };
  }

  async latestInstantMs(sourceId: string): Promise<number | undefined> {
    const [latest] = await this.client.query<{ at_ms: number }>(latestText, [sourceId]);
    return latest?.at_ms;
  }

  ping(): Promise<void> {
    return this.probe();
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async storeOnce(
    executor: SqlTransaction,
    { batch, ...message }: IngestMessage,
    gpus: BatchGpus,
  ): Promise<Omit<IngestResult, "contested"> & { readonly incarnation: string }> {
    const rejected = countReasons(batch.rejected);
    const inserting = { ...message, tally: batch.tally, rejected };
    const hours = hoursOf(batch.timesMs);
    // before all statements that read
    holdHours(executor, hours);
    const { isNew, incarnation, newestMigrationMs, settledHours } = await insertMessage(executor, inserting, hours);
    if (newestMigrationMs > this.newestKnownMigrationMs) throw migratedMeanwhile();
    this.directory.enter(incarnation);
    this.ledger.enter(incarnation);
    if (!isNew) return { incarnation, ...ofDuplicate };
    const numbers = numbersOf(batch, gpus, this.keys);
    await addMissing(executor, gpus, numbers);
    const keyed = { batch, ...numbers };
    await unsettle(executor, settledHours, {
      gpuKeys: Array.from(batch.gpuIndexes, (gpu) => numbers.keys[gpu] as number),
      timesMs: batch.timesMs,
    });
    const written = await this.writer.write(executor, keyed);
    const conflicts = await countConflictsOf(executor, keyed, written.conflicts);
    const allRejected = [...batch.rejected, ...written.rejected];
    insertQuarantine(executor, { ...message, batch }, allRejected);
    const allReasons = written.rejected.length === 0 ? rejected : countReasons(allRejected);
    setMessageRecords(executor, message.messageId, {
      ...written,
      conflicts,
      rejected: allReasons === rejected ? undefined : allReasons,
    });
    await markContested(executor, written.contested);
    this.ledger.write(executor, { ...message, batch }, gpus.gpus);
    const { inserted: recordsInserted, merged: recordsMerged } = written;
    return { incarnation, duplicate: false, recordsInserted, recordsMerged, conflicts, rejected: allReasons };
  }
}

const ofDuplicate = { duplicate: true, recordsInserted: 0, recordsMerged: 0, conflicts: 0, rejected: {} } as const;

/** The error of a process that runs while a newer version migrates the database. The message waits for that version. */
function migratedMeanwhile(): StoreUnavailable {
  return new StoreUnavailable(
    "this program is older than the schema of its database: replace it with the version that migrated the database",
  );
}

/** The store's numbers for the GPUs of a batch, by index in the batch's `gpus`; NaN for a GPU without records, which needs
 *  none. */
type GpuNumbers = Pick<KeyedBatch, "keys" | "attributesIds">;

function numbersOf(batch: RecordBatch, { gpus, lookup }: BatchGpus, gpuKeys: GpuKeys): GpuNumbers {
  const current = lookup.gpus();
  const keys = new Float64Array(batch.gpus.length).fill(NaN);
  const attributesIds = new Float64Array(batch.gpus.length).fill(NaN);
  gpus.forEach(({ gpu, indexes, reports }, at) => {
    const key = gpuKeys.of(gpu.uuid);
    indexes.forEach((index, place) => {
      keys[index] = key;
      attributesIds[index] = reports[place]?.attributesId(current[at]?.report) ?? NaN;
    });
  });
  return { keys, attributesIds };
}

/** Adds the batch's GPUs and reports that the database may not have. */
async function addMissing(
  transaction: SqlTransaction,
  { gpus, lookup }: BatchGpus,
  { keys, attributesIds }: GpuNumbers,
): Promise<void> {
  const current = lookup.gpus();
  const missing = gpus.filter((_, at) => current[at] === undefined);
  if (missing.length > 0) await insertGpus(transaction, missing);
  const reported = gpus.flatMap(({ indexes, reports }, at) =>
    indexes.flatMap((index, place) => {
      const attributesId = attributesIds[index] as number;
      if (attributesId === current[at]?.report?.attributesId) return [];
      return [{ gpuKey: keys[index] as number, attributesId, attributes: reports[place]?.attributes as Gpu }];
    }),
  );
  insertReported(transaction, reported);
}

/** The GPUs that have records in a batch. */
interface BatchGpus {
  readonly gpus: readonly ObservedGpu[];
  /** A look-up of the same GPUs, in the same order. */
  readonly lookup: GpuLookup;
}

interface RangeRow {
  readonly from_offset: number;
  readonly from_line: number;
  readonly to_offset: number;
  readonly to_line: number;
}

type SumsRow = Omit<SourceTotals, "rejected"> & InputTally;

const rangesText = `
select from_offset::float8 as from_offset, from_line::float8 as from_line,
  to_offset::float8 as to_offset, to_line::float8 as to_line
from ingested_messages where source_id = $1 order by from_offset, to_offset`;

/** In a live source, a position is a time: `from` and `to` of a stored message are both the time of its batch. */
// a source that has ended begins again without a gap
const latestText = `
select at_ms
from (select from_offset::float8 as at_ms from ingested_messages where source_id = $1 order by from_offset desc limit 1) newest
where not exists (select from source_ends where source_id = $1 and ended_at >= to_timestamp(at_ms / 1000.0))`;

const sumsText = `
select count(*)::float8 as messages, coalesce(sum(rows), 0)::float8 as rows, coalesce(sum(samples), 0)::float8 as samples,
  coalesce(sum(missing), 0)::float8 as missing, coalesce(sum(duplicates), 0)::float8 as duplicates,
  coalesce(sum(conflicts), 0)::float8 as conflicts,
  coalesce(sum(blank_lines), 0)::float8 as "blankLines",
  coalesce(sum(repeated_headers), 0)::float8 as "repeatedHeaders",
  coalesce(sum(records_inserted), 0)::float8 as "recordsInserted",
  coalesce(sum(records_merged), 0)::float8 as "recordsMerged"
from ingested_messages where source_id = $1`;

const reasonsText = `
select key as reason, sum(value::int)::float8 as count
from ingested_messages, jsonb_each_text(rejected) where source_id = $1 group by key order by key`;

function rangeOf(row: RangeRow): Range {
  return {
    from: { offset: row.from_offset, line: row.from_line },
    to: { offset: row.to_offset, line: row.to_line },
  };
}

function countReasons(rejected: RecordBatch["rejected"]): Partial<Record<RejectReason, number>> {
  const counts: Partial<Record<RejectReason, number>> = {};
  for (const { reason } of rejected) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
