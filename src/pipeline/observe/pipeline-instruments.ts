import type { SourceReading } from "../../domain/reading.ts";
import { Counter, Gauge, type Registry } from "prom-client";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import type { OnDatabaseChange } from "../store/database-change.ts";
import { type PipelineListener, silentListener } from "./pipeline-listener.ts";

type CounterName =
  | "publishedMessages"
  | "publishedSamples"
  | "readRows"
  | "missing"
  | "storedMessages"
  | "storedSamples"
  | "inserted"
  | "merged"
  | "duplicates"
  | "conflicts"
  | "refused"
  | "retries"
  | "failedTogether"
  | "staleAcknowledgements";

type Counters = Readonly<Record<CounterName, Counter>> & {
  readonly rejected: Counter<"reason">;
  readonly countReading: (reading: SourceReading) => void;
};

/** Counts the events of the pipeline in Prometheus instruments. */
export function pipelineInstruments(registry: Registry): PipelineListener {
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers: [registry] });
  const publishedMessages = counter("telemetry_published_messages_total", "Messages put into the queue");
  const publishedSamples = counter("telemetry_published_samples_total", "Samples put into the queue");
  const readRows = counter("telemetry_read_rows_total", "Input rows of the messages put into the queue");
  const missing = counter("telemetry_missing_values_total", "Values that the input marks as missing");
  const storedMessages = counter("telemetry_stored_messages_total", "Messages committed to the store");
  const storedSamples = counter("telemetry_stored_samples_total", "Samples committed to the store");
  const inserted = counter("telemetry_inserted_records_total", "Records that were new to the store");
  const merged = counter("telemetry_merged_records_total", "Records merged into one already stored");
  const duplicates = counter("telemetry_duplicate_messages_total", "Messages that were already stored");
  const conflicts = counter(
    "telemetry_conflicting_values_total",
    "Values that differ from others of the same series and record, within a message or from the stored one; the greater is kept",
  );
  const refused = counter("telemetry_refused_deliveries_total", "Deliveries that failed before the acknowledgement");
  const retries = counter("telemetry_retries_total", "Failed operations that were tried again");
  const staleAcknowledgements = counter(
    "telemetry_stale_acknowledgements_total",
    "Acknowledgements refused because the claim had already ended",
  );
  return listenerOf({
    publishedMessages,
    publishedSamples,
    readRows,
    missing,
    storedMessages,
    storedSamples,
    inserted,
    merged,
    duplicates,
    conflicts,
    refused,
    retries,
    failedTogether: failedGroupsCounter(registry),
    staleAcknowledgements,
    rejected: rejectedCounter(registry),
    countReading: readingCounters(registry),
  });
}

function failedGroupsCounter(registry: Registry): Counter {
  return new Counter({
    name: "telemetry_failed_groups_total",
    help: "Transactions of several messages that failed although each of the messages could be stored alone",
    registers: [registry],
  });
}

function rejectedCounter(registry: Registry): Counter<"reason"> {
  return new Counter({
    name: "telemetry_rejected_inputs_total",
    help: "Rejected inputs of the messages committed to the store, and records that the store rejected (uuid_on_two_hosts)",
    labelNames: ["reason"],
    registers: [registry],
  });
}

/** @returns a function that counts what became of readings */
function readingCounters(registry: Registry): (reading: SourceReading) => void {
  const expected = new Counter({
    name: "telemetry_expected_readings_total",
    help: "Due readings of live sources, such as scrapes, that are in the coverage ledger: received or missed",
    registers: [registry],
  });
  const received = new Counter({
    name: "telemetry_received_readings_total",
    help: "Readings of live sources that were read and are stored",
    registers: [registry],
  });
  const missed = new Counter({
    name: "telemetry_missed_readings_total",
    help: "Due readings of live sources that were missed, by reason",
    labelNames: ["reason"],
    registers: [registry],
  });
  return ({ count, outcome, reason = "no_streamer" }) => {
    expected.inc(count);
    if (outcome === "read") received.inc(count);
    else missed.inc({ reason }, count);
  };
}

function listenerOf(counters: Counters): PipelineListener {
  return {
    ...silentListener,
    published: ({ samples, rows, missing }, duplicate) => {
      if (duplicate) return;
      counters.publishedMessages.inc();
      counters.publishedSamples.inc(samples);
      counters.readRows.inc(rows);
      counters.missing.inc(missing);
    },
    stored: ({ batch }, result) => {
      if (result.failedTogether !== undefined) counters.failedTogether.inc();
      if (result.duplicate) {
        counters.duplicates.inc();
        return;
      }
      counters.storedMessages.inc();
      counters.storedSamples.inc(batch.tally.samples);
      counters.inserted.inc(result.recordsInserted);
      counters.merged.inc(result.recordsMerged);
      counters.conflicts.inc(Math.max(0, result.conflicts));
      if (batch.reading !== undefined) counters.countReading(batch.reading);
      for (const [reason, count] of Object.entries(result.rejected)) counters.rejected.inc({ reason }, count);
    },
    refused: () => counters.refused.inc(),
    retried: () => counters.retries.inc(),
    acknowledgedTooLate: (messages) => counters.staleAcknowledgements.inc(messages),
  };
}

/** @returns a function that counts a dead letter that was lost with its records */
export function lostRecordsCounter(registry: Registry): (records: number) => void {
  const letters = new Counter({
    name: "telemetry_lost_dead_letters_total",
    help: "Dead letters that were deleted because there were more than QUEUE_MAX_DEAD_LETTERS",
    registers: [registry],
  });
  const lost = new Counter({
    name: "telemetry_lost_records_total",
    help: "Records of these dead letters, which are lost",
    registers: [registry],
  });
  return (records) => {
    letters.inc();
    lost.inc(records);
  };
}

/** Counts the changes of the database that answers at DATABASE_URL. */
export function databaseInstrument(registry: Registry): OnDatabaseChange {
  const changes = new Counter({
    name: "telemetry_database_changes_total",
    help: "Changes of the server process that answers for the database: restarted, replaced (by another server, which has the messages of this process), went_back (stored messages are missing), or migrated (by a newer version of the program)",
    labelNames: ["kind"],
    registers: [registry],
  });
  return ({ kind }) => changes.inc({ kind });
}

/** Counts how often etcd has lost what it had. */
export function lostHistoryCounter(registry: Registry): () => void {
  const losses = new Counter({
    name: "telemetry_etcd_lost_histories_total",
    help: "Times that etcd has come back empty or with an older state, or that another etcd has answered",
    registers: [registry],
  });
  return () => losses.inc();
}

/** Exposes the size of etcd's database, to be compared with its quota. No value if etcd does not answer. */
export function showDatabaseBytes(client: EtcdClient, registry: Registry): void {
  new Gauge({
    name: "telemetry_etcd_database_bytes",
    help: "Size of etcd's database: its file, which the quota limits, and the part of the file that holds data",
    labelNames: ["part"],
    registers: [registry],
    async collect() {
      this.reset();
      const size = await client.databaseSize().catch(() => undefined);
      if (size === undefined) return;
      this.set({ part: "file" }, size.fileBytes);
      this.set({ part: "in_use" }, size.inUseBytes);
    },
  });
}
