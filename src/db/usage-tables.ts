import { bigint, customType, integer, json, pgTable, primaryKey, timestamp } from "drizzle-orm/pg-core";

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
