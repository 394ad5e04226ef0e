import type { InputTally, RecordBatch, RejectReason } from "../../domain/batch.ts";
import type { Stretch } from "../../domain/source-range.ts";
import type { SqlClient, SqlExecutor } from "../../db/client.ts";
import { insertMessage, setMessageRecords } from "../../db/sql/insert-message.ts";
import { insertQuarantine } from "../../db/sql/insert-quarantine.ts";
import { insertGpus } from "../../db/sql/insert-gpus.ts";
import { upsertTelemetry } from "../../db/sql/upsert-telemetry.ts";
import { GpuDirectory } from "./gpu-directory.ts";
import { GpuHistory } from "./gpu-history.ts";
import { type ObservedGpu, observedGpus } from "./observed-gpus.ts";
import type { IngestMessage, IngestResult, SourceProgress, SourceTotals, TelemetryStore } from "./telemetry-store.ts";

/** Records a statement takes: bounds the memory of the statement's text. */
const recordsPerStatement = 10_000;

/** History in SQL: PGlite, PostgreSQL or TimescaleDB behind the client. */
export class SqlTelemetryStore implements TelemetryStore {
  private readonly directory: GpuDirectory;
  private readonly history: GpuHistory;

  constructor(private readonly client: SqlClient) {
    this.directory = new GpuDirectory(client);
    this.history = new GpuHistory(client, this.directory);
  }

  async ingest(message: IngestMessage): Promise<IngestResult> {
    const gpus = observedGpus(message.batch);
    try {
      const result = await this.client.transaction((executor) => this.storeOnce(executor, message, gpus));
      // a duplicate too: who stored the message may have died before it got here
      await this.history.note(gpus);
      return result;
    } catch (error) {
      this.directory.forget();
      throw error;
    }
  }

  async progressOf(sourceId: string): Promise<SourceProgress> {
    const stretches = await this.client.query<StretchRow>(stretchesText, [sourceId]);
    const [sums] = await this.client.query<SumsRow>(sumsText, [sourceId]);
    const reasons = await this.client.query<{ reason: RejectReason; count: number }>(reasonsText, [sourceId]);
    return {
      stored: joined(stretches),
      totals: {
        ...(sums as SumsRow),
        rejected: Object.fromEntries(reasons.map(({ reason, count }) => [reason, count])),
      },
    };
  }

  async ping(): Promise<void> {
    await this.client.query("select 1");
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async storeOnce(
    executor: SqlExecutor,
    { batch, ...message }: IngestMessage,
    gpus: readonly ObservedGpu[],
  ): Promise<IngestResult> {
    const rejected = countReasons(batch);
    const isNew = await insertMessage(executor, { ...message, tally: batch.tally, rejected });
    if (!isNew) return { duplicate: true, recordsInserted: 0, recordsMerged: 0 };
    const { inserted, merged } = await storeRecords(executor, batch, await this.keysOf(executor, gpus));
    await insertQuarantine(executor, message.source.sourceId, batch.rejected);
    await setMessageRecords(executor, message.messageId, { inserted, merged });
    return { duplicate: false, recordsInserted: inserted, recordsMerged: merged };
  }

  /** @returns uuid -> gpu_key */
  private async keysOf(executor: SqlExecutor, gpus: readonly ObservedGpu[]): Promise<ReadonlyMap<string, number>> {
    const unknown = gpus.filter(({ gpu }) => this.directory.get(gpu.uuid) === undefined);
    const keys = unknown.length === 0 ? new Map<string, number>() : await insertGpus(executor, unknown);
    for (const { gpu } of gpus) {
      const known = this.directory.get(gpu.uuid);
      if (known !== undefined) keys.set(gpu.uuid, known.gpuKey);
    }
    return keys;
  }
}

interface StretchRow {
  readonly from_offset: number;
  readonly from_line: number;
  readonly to_offset: number;
  readonly to_line: number;
}

type SumsRow = Omit<SourceTotals, "rejected"> & InputTally;

const stretchesText = `
select from_offset::float8 as from_offset, from_line::float8 as from_line,
  to_offset::float8 as to_offset, to_line::float8 as to_line
from ingested_messages where source_id = $1 order by from_offset, to_offset`;

const sumsText = `
select count(*)::float8 as messages, coalesce(sum(rows), 0)::float8 as rows, coalesce(sum(samples), 0)::float8 as samples,
  coalesce(sum(missing), 0)::float8 as missing, coalesce(sum(duplicates), 0)::float8 as duplicates,
  coalesce(sum(blank_lines), 0)::float8 as "blankLines",
  coalesce(sum(repeated_headers), 0)::float8 as "repeatedHeaders",
  coalesce(sum(records_inserted), 0)::float8 as "recordsInserted",
  coalesce(sum(records_merged), 0)::float8 as "recordsMerged"
from ingested_messages where source_id = $1`;

const reasonsText = `
select key as reason, sum(value::int)::float8 as count
from ingested_messages, jsonb_each_text(rejected) where source_id = $1 group by key order by key`;

/** Joins stretches that touch or overlap. */
function joined(rows: readonly StretchRow[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const row of rows) {
    const to = { offset: row.to_offset, line: row.to_line };
    const last = stretches.at(-1);
    if (last === undefined || row.from_offset > last.to.offset) {
      stretches.push({ from: { offset: row.from_offset, line: row.from_line }, to });
    } else if (to.offset > last.to.offset) {
      stretches[stretches.length - 1] = { from: last.from, to };
    }
  }
  return stretches;
}

function countReasons({ rejected }: RecordBatch): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of rejected) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

async function storeRecords(
  executor: SqlExecutor,
  batch: RecordBatch,
  keys: ReadonlyMap<string, number>,
): Promise<{ inserted: number; merged: number }> {
  const sums = { inserted: 0, merged: 0 };
  const keyOf = batch.gpus.map(({ uuid }) => keys.get(uuid) ?? NaN);
  // Sorted by key and time: two collectors lock rows in the same order and never wait in a ring.
  const order = Array.from({ length: batch.recordCount }, (_, record) => record).sort(
    (a, b) =>
      (keyOf[batch.gpuIndexes[a] as number] as number) - (keyOf[batch.gpuIndexes[b] as number] as number) ||
      (batch.timesMs[a] as number) - (batch.timesMs[b] as number),
  );
  const custom = customOf(batch);
  for (let from = 0; from < order.length; from += recordsPerStatement) {
    const records = order.slice(from, from + recordsPerStatement);
    const counts = await upsertTelemetry(executor, {
      gpuKeys: records.map((record) => keyOf[batch.gpuIndexes[record] as number] as number),
      timesMs: records.map((record) => batch.timesMs[record] as number),
      metrics: Array.from(batch.columns, ([name, column]) => ({
        name,
        values: records.map((record) => column[record] as number),
      })),
      custom: records.map((record) => custom.get(record)),
      workloads: records.map((record) => batch.workloads[batch.workloadIndexes[record] as number] as Workload),
    });
    sums.inserted += counts.inserted;
    sums.merged += counts.merged;
  }
  return sums;
}

type Workload = RecordBatch["workloads"][number];

/** Record -> its custom metrics as JSON. */
function customOf(batch: RecordBatch): Map<number, string> {
  const values = new Map<number, Record<string, number>>();
  for (const { record, metric, value } of batch.custom) {
    values.set(record, { ...values.get(record), [metric]: value });
  }
  return new Map(Array.from(values, ([record, each]) => [record, JSON.stringify(each)]));
}
