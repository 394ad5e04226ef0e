import { bigint, customType, integer, json, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** How devices were used in settled hours, by holder: each row has some hundred devices of an hour, in the format of src/domain/usage/.
 *  They outlive the records and the rollups. */
export const usageHours = pgTable(
  "usage_hours",
  {
    /** The beginning of the hour. */
    fromAt: timestamp("from_at", { withTimezone: true, mode: "date" }).notNull(),
    /** The least and the greatest key of its devices. */
    firstKey: bigint("first_key", { mode: "number" }).notNull(),
    lastKey: bigint("last_key", { mode: "number" }).notNull(),
    devices: integer("devices").notNull(),
    spans: integer("spans").notNull(),
    columns: bytes("columns").notNull(),
    holders: json("holders").notNull(),
  },
  (table) => [primaryKey({ name: "usage_hours_pkey", columns: [table.fromAt, table.firstKey] })],
);

/** What each holder had of the GPUs of each host on a day (UTC), in the format of src/domain/usage/usage-day.ts. It follows from
 *  `usage_hours` and the devices: a statement that changes rows of `usage_hours` deletes the days for which they count. */
export const usageDays = pgTable("usage_days", {
  /** The beginning of the day. */
  fromAt: timestamp("from_at", { withTimezone: true, mode: "date" }).primaryKey(),
  /** What the devices, their places and their times were when it was made: if it is no longer so, the day does not count. */
  fleet: text("fleet").notNull(),
  entries: integer("entries").notNull(),
  devices: integer("devices").notNull(),
  columns: bytes("columns").notNull(),
  names: json("names").notNull(),
});

/** The same by device, in the format of src/domain/usage/device-day.ts: each row has the devices of some hosts. A day is deleted with that of
 *  `usage_days`, which says whether it counts. */
export const usageDeviceDays = pgTable(
  "usage_device_days",
  {
    /** The beginning of the day. */
    fromAt: timestamp("from_at", { withTimezone: true, mode: "date" })
      .notNull()
      .references(() => usageDays.fromAt, { onDelete: "cascade" }),
    /** The least and the greatest key of its hosts (`hostKeyOf`). */
    firstHost: bigint("first_host", { mode: "number" }).notNull(),
    lastHost: bigint("last_host", { mode: "number" }).notNull(),
    entries: integer("entries").notNull(),
    devices: integer("devices").notNull(),
    columns: bytes("columns").notNull(),
    names: json("names").notNull(),
    held: json("held").notNull(),
  },
  (table) => [primaryKey({ name: "usage_device_days_pkey", columns: [table.fromAt, table.firstHost] })],
);
