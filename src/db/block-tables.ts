import {
  bigint,
  customType,
  index,
  integer,
  json,
  type PgColumnBuilderBase,
  pgTable,
  primaryKey,
  timestamp,
} from "drizzle-orm/pg-core";
import { metrics } from "../domain/metrics.ts";

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

const packedColumns: Record<string, PgColumnBuilderBase> = Object.fromEntries(
  metrics.map(({ name }) => [name, bytes(name)]),
);

/** Settled history: the records of a GPU in an hour (UTC), which `telemetry` then no longer has. An hour with very many records has
 *  several blocks. The columns are in the format of src/domain/block/; a metric without values is NULL. */
export const blocks = pgTable(
  "blocks",
  {
    gpuKey: bigint("gpu_key", { mode: "number" }).notNull(),
    /** The instants of the first and the last record. */
    fromAt: instant("from_at").notNull(),
    toAt: instant("to_at").notNull(),
    records: integer("records").notNull(),
    /** The records' instants, milliseconds since the epoch. */
    times: bytes("times").notNull(),
    ...packedColumns,
    /** Metrics outside the catalogue, and labelled series. */
    others: bytes("others"),
    /** What records in a row have in common: their number, what they report about the GPU, and its workloads. */
    runs: json("runs").notNull(),
  },
  (table) => [
    primaryKey({ name: "blocks_pkey", columns: [table.gpuKey, table.fromAt] }),
    index("blocks_from").on(table.fromAt),
  ],
);

/** What the records of settled hours amount to: each row has the entries of some hundred GPUs in an hour, in columns in the format of
 *  src/domain/rollup/. They outlive the records. */
export const rollups = pgTable(
  "rollups",
  {
    /** The beginning of the hour. */
    fromAt: instant("from_at").notNull(),
    /** The least and the greatest key of its GPUs. All entries of a GPU and hour are in one row. */
    firstKey: bigint("first_key", { mode: "number" }).notNull(),
    lastKey: bigint("last_key", { mode: "number" }).notNull(),
    entries: integer("entries").notNull(),
    keys: bytes("keys").notNull(),
    holders: bytes("holders").notNull(),
    holderNames: json("holder_names").notNull(),
    records: bytes("records").notNull(),
    ...packedColumns,
  },
  (table) => [primaryKey({ name: "rollups_pkey", columns: [table.fromAt, table.firstKey] })],
);

/** The hours for which records came when they were over: they are settled when none has come for a while. */
export const lateHours = pgTable("late_hours", {
  hour: instant("hour").primaryKey(),
  firstAt: instant("first_at").notNull(),
  /** Lags by up to a minute. */
  lastAt: instant("last_at").notNull(),
});

/** GPUs' hours whose entries in `rollups` do not count: a late record has made rows of their blocks, and they are not settled again yet. */
export const unsettled = pgTable(
  "unsettled",
  { hour: instant("hour").notNull(), gpuKey: bigint("gpu_key", { mode: "number" }).notNull() },
  (table) => [primaryKey({ name: "unsettled_pkey", columns: [table.hour, table.gpuKey] })],
);
