import { sql } from "drizzle-orm";
import {
  bigint,
  doublePrecision,
  index,
  integer,
  jsonb,
  type PgColumnBuilderBase,
  pgSequence,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
} from "drizzle-orm/pg-core";
import { metrics } from "../domain/metrics.ts";
import {
  attributeColumns,
  type ColumnDeclaration,
  type ColumnList,
  occupantsColumns,
  reportColumns,
} from "./gpu-columns.ts";

// drizzle-kit finds these tables here
export { accessKeys, accessSessions, accessTickets, auditLog } from "./access-tables.ts";
export { archiveChanges, archiveFiles, archiveHours, archiveLead } from "./archive-tables.ts";
export { blocks, lateHours, rollups, unsettled } from "./block-tables.ts";
export {
  faultChanges,
  faultLeader,
  faultPostponed,
  faultReceivers,
  faultRequests,
  faults,
  faultSilences,
  faultStates,
} from "./fault-tables.ts";
export { inventoryItems, inventorySpans } from "./inventory-tables.ts";
export { frozenReadings, seriesEnds, sourceEnds, sourceMisses } from "./ledger-tables.ts";
export { foldedKeys, foldedRanges, foldedTotals } from "./message-tables.ts";
export { storeIdentity } from "./identity-table.ts";
export { uploadParts, uploads } from "./upload-tables.ts";
export { usageDays, usageDeviceDays, usageHours } from "./usage-tables.ts";

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const offset = (name: string) => bigint(name, { mode: "number" });
/** The number that `gpuKeyOf` (src/domain/gpu-key.ts) derives from a GPU's uuid; below 2^53. */
const gpuKey = () => bigint("gpu_key", { mode: "number" });

const columnTypes = {
  text: (name: string) => text(name),
  int: (name: string) => integer(name),
  bigint: (name: string) => bigint(name, { mode: "number" }),
  jsonb: (name: string) => jsonb(name),
};

/** The columns of a list, by field. */
function columnsOf<Row extends object>({ declarations }: ColumnList<Row>) {
  const columns: Partial<Record<string, PgColumnBuilderBase>> = {};
  for (const [field, { name, type }] of Object.entries<ColumnDeclaration>(declarations)) {
    columns[field] = columnTypes[type](name).notNull();
  }
  return columns as Record<keyof Row & string, PgColumnBuilderBase>;
}

const attributes = columnsOf(attributeColumns);

/** Counts the changes of GPUs' attributes and workloads, including changes that were undone. A process waits for the changes
 *  under way (`awaitChanges`), and then reads this number and the GPUs. As long as the number stays the same, the process has
 *  missed no change. */
export const gpuRevision = pgSequence("gpu_revision");

/** Every GPU that was ever seen, with its newest attributes. Other tables refer to a GPU by `gpu_key` instead of the uuid. The key
 *  follows from the uuid, never from a sequence: another database that answers later has the same key for the GPU. */
export const gpus = pgTable(
  "gpus",
  {
    gpuKey: gpuKey().primaryKey(),
    uuid: text("uuid").notNull().unique(),
    ...attributes,
    firstSeenAt: instant("first_seen_at").notNull(),
    /** Updated every few minutes, so the GPU may have been seen later; its newest record has the exact instant. */
    lastSeenAt: instant("last_seen_at").notNull(),
    /** The gpu_revision of the last change of the GPU's attributes or workloads. */
    revision: bigint("revision", { mode: "number" }).notNull().default(0),
    /** NULL until two hosts report the uuid at one instant. Then the version of the GPU's state, for the hot tier: see
     *  contested-gpus.ts. */
    contestedVersion: bigint("contested_version", { mode: "number" }),
  },
  (table) => [
    index("gpus_place").on(table.clusterId, table.hostname, table.gpuId),
    index("gpus_revision").on(table.revision),
  ],
);

/** A GPU's attributes over time: each row is valid from its instant until that of the next row. */
export const gpuAttributes = pgTable(
  "gpu_attributes",
  { gpuKey: gpuKey().notNull(), validFrom: instant("valid_from").notNull(), ...attributes },
  (table) => [primaryKey({ name: "gpu_attributes_pkey", columns: [table.gpuKey, table.validFrom] })],
);

/** The attributes that inputs have reported about a GPU, as they were in the input: a field may be empty. */
export const reportedAttributes = pgTable(
  "reported_attributes",
  {
    gpuKey: gpuKey().notNull(),
    /** What `attributesIdOf` makes of the attributes (src/domain/attributes-id.ts); a small number for those that are older
     *  than this table. */
    attributesId: bigint("attributes_id", { mode: "number" }).notNull(),
    ...attributes,
  },
  (table) => [primaryKey({ name: "reported_attributes_pkey", columns: [table.gpuKey, table.attributesId] })],
);

/** What the records of a GPU report about it over time: each row is valid from its instant until that of the next row. The rows
 *  of `gpu_attributes` follow from these: a field that a report leaves empty stays as it was. */
export const gpuReports = pgTable(
  "gpu_reports",
  { gpuKey: gpuKey().notNull(), validFrom: instant("valid_from").notNull(), ...columnsOf(reportColumns) },
  (table) => [primaryKey({ name: "gpu_reports_pkey", columns: [table.gpuKey, table.validFrom] })],
);

/** The workloads that hold a GPU over time (an empty list if there are none), each row until the instant of the next one. */
export const gpuWorkloads = pgTable(
  "gpu_workloads",
  {
    gpuKey: gpuKey().notNull(),
    validFrom: instant("valid_from").notNull(),
    ...columnsOf(occupantsColumns),
  },
  (table) => [primaryKey({ name: "gpu_workloads_pkey", columns: [table.gpuKey, table.validFrom] })],
);

const metricColumns: Record<string, PgColumnBuilderBase> = Object.fromEntries(
  metrics.map(({ name }) => [name, doublePrecision(name)]),
);

/** One row for each GPU and instant; a metric that was not measured is NULL. The metric columns are those of the catalogue. */
export const telemetry = pgTable(
  "telemetry",
  {
    gpuKey: gpuKey().notNull(),
    time: instant("time").notNull(),
    ...metricColumns,
    custom: jsonb("custom").$type<Record<string, number>>(),
    /** The first of the workloads that hold the GPU. */
    container: text("container"),
    pod: text("pod"),
    namespace: text("namespace"),
    /** All workloads that hold the GPU, if they are several. */
    occupants: jsonb("occupants"),
    /** What the record's rows report about the GPU, in `reported_attributes`; NULL for a record that is older than that table. */
    attributesId: bigint("attributes_id", { mode: "number" }),
  },
  (table) => [
    primaryKey({ name: "telemetry_pkey", columns: [table.gpuKey, table.time] }),
    index("telemetry_time").on(table.time),
  ],
);

/** Every stored message. Its row reveals a second delivery as a duplicate, and shows which range of a source is stored. */
export const ingestedMessages = pgTable(
  "ingested_messages",
  {
    messageId: text("message_id").primaryKey(),
    idempotencyKey: text("idempotency_key").notNull().unique(),
    sourceId: text("source_id").notNull(),
    fromOffset: offset("from_offset").notNull(),
    fromLine: offset("from_line").notNull(),
    toOffset: offset("to_offset").notNull(),
    toLine: offset("to_line").notNull(),
    rows: integer("rows").notNull(),
    samples: integer("samples").notNull(),
    missing: integer("missing").notNull(),
    duplicates: integer("duplicates").notNull(),
    /** Values that differ from another value of the same series of a record, in the message or in the store. */
    conflicts: integer("conflicts").notNull().default(0),
    blankLines: integer("blank_lines").notNull(),
    repeatedHeaders: integer("repeated_headers").notNull(),
    recordsInserted: integer("records_inserted").notNull().default(0),
    recordsMerged: integer("records_merged").notNull().default(0),
    rejected: jsonb("rejected").$type<Record<string, number>>().notNull(),
    ingestedAt: instant("ingested_at").notNull().defaultNow(),
    /** The newest migration known to the writer that changed how programs write. A program that does not name this column is
     *  older than the migration that added it. Its insert fails with a retryable error that says so. */
    writerSchema: smallint("writer_schema")
      .notNull()
      .default(sql`refuse_older_program()`),
  },
  (table) => [index("ingested_messages_source").on(table.sourceId, table.fromOffset)],
);

/** Values that are not the greatest of their series and record: see conflicting-values.ts. */
export const conflictingValues = pgTable(
  "conflicting_values",
  {
    gpuKey: gpuKey().notNull(),
    time: instant("time").notNull(),
    series: text("series").notNull(),
    value: doublePrecision("value").notNull(),
  },
  (table) => [
    primaryKey({ name: "conflicting_values_pkey", columns: [table.gpuKey, table.time, table.series, table.value] }),
  ],
);

/** The readings of a live source with a schedule that were due in an hour. Each message adds its reading in its own transaction, so
 *  every reading counts once. */
export const sourceReadings = pgTable(
  "source_readings",
  {
    sourceId: text("source_id").notNull(),
    hour: instant("hour").notNull(),
    /** The time from one reading to the next; that of the newest reading if it has changed. */
    intervalMs: doublePrecision("interval_ms").notNull(),
    /** The scheduled times of the first and last of these readings. */
    firstAt: instant("first_at").notNull(),
    lastAt: instant("last_at").notNull(),
    due: bigint("due", { mode: "number" }).notNull(),
    received: bigint("received", { mode: "number" }).notNull(),
    /** Received readings that were stored later than one interval after their scheduled time. */
    late: bigint("late", { mode: "number" }).notNull(),
    /** The sum of the readings' devices whose values the exporter has repeated. `frozen_readings` has those that are known by name. */
    frozen: bigint("frozen", { mode: "number" }).notNull(),
    /** Inputs of these readings that were rejected. */
    quarantined: bigint("quarantined", { mode: "number" }).notNull(),
    /** Readings that were missed, by reason. */
    missed: jsonb("missed").$type<Record<string, number>>().notNull(),
  },
  (table) => [
    primaryKey({ name: "source_readings_pkey", columns: [table.sourceId, table.hour] }),
    index("source_readings_hour").on(table.hour),
  ],
);

/** The devices that a source with a schedule has reported. */
export const sourceDevices = pgTable(
  "source_devices",
  {
    sourceId: text("source_id").notNull(),
    gpuKey: gpuKey().notNull(),
    /** The instant of the device's first record from this source. */
    firstAt: instant("first_at").notNull(),
    /** Updated every few minutes: the device's last record from this source is at this instant or later. */
    lastAt: instant("last_at").notNull(),
  },
  (table) => [primaryKey({ name: "source_devices_pkey", columns: [table.gpuKey, table.sourceId] })],
);

/** The devices that a source without a schedule, such as a file, has reported. */
export const unscheduledDevices = pgTable(
  "unscheduled_devices",
  {
    sourceId: text("source_id").notNull(),
    gpuKey: gpuKey().notNull(),
    firstAt: instant("first_at").notNull(),
    /** The device's last record from this source is up to a minute later. */
    lastAt: instant("last_at").notNull(),
  },
  (table) => [
    primaryKey({ name: "unscheduled_devices_pkey", columns: [table.gpuKey, table.sourceId] }),
    index("unscheduled_devices_source").on(table.sourceId, table.lastAt),
  ],
);

/** Every input that could not be used, with its reason. */
export const quarantine = pgTable(
  "quarantine",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    sourceId: text("source_id").notNull(),
    /** For an input that is not a row of a file: the id of its message, and its number among the message's rejected inputs. For a
     *  row of a file, whose byte offset is enough to recognise it when it is read again: empty, or a number if the row is rejected
     *  for several devices. For an input of a live source: the hour, and a hash of its reason, field and series. */
    item: text("item").notNull().default(""),
    byteOffset: offset("byte_offset").notNull(),
    line: offset("line").notNull(),
    reason: text("reason").notNull(),
    field: text("field").notNull(),
    value: text("value").notNull(),
    message: text("message").notNull(),
    raw: text("raw").notNull(),
    seenAt: instant("seen_at").notNull().defaultNow(),
    /** The push that the input came in; NULL for an input of a file, an upload or a live source. */
    pushId: text("push_id"),
  },
  (table) => [
    unique("quarantine_place").on(table.sourceId, table.item, table.byteOffset, table.field),
    index("quarantine_push")
      .on(table.pushId, table.id)
      .where(sql`push_id is not null`),
  ],
);
