import { sql } from "drizzle-orm";
import { bigint, index, integer, pgTable, primaryKey, text, timestamp, uniqueIndex } from "drizzle-orm/pg-core";

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** Hosts and devices that ought to report, as they were declared. */
export const inventoryItems = pgTable(
  "inventory_items",
  {
    /** `file` or `operator`: a file that no longer has an item does not delete what an operator has declared. */
    declaredBy: text("declared_by").notNull(),
    clusterId: text("cluster_id").notNull(),
    hostname: text("hostname").notNull(),
    /** Empty for a host. */
    uuid: text("uuid").notNull(),
    /** What the uuids of the device's MIG instances begin with; empty for a host. */
    migPrefix: text("mig_prefix").notNull(),
    /** The number of GPUs of a host; NULL for a device. */
    gpus: integer("gpus"),
    declaredAt: instant("declared_at").notNull().defaultNow(),
  },
  (table) => [
    primaryKey({
      name: "inventory_items_pkey",
      columns: [table.declaredBy, table.clusterId, table.hostname, table.uuid],
    }),
    uniqueIndex("inventory_items_uuid")
      .on(table.declaredBy, table.uuid)
      .where(sql`${table.uuid} <> ''`),
  ],
);

/** When a host or device was or will be under maintenance or decommissioned. Spans of one host or device may overlap. */
export const inventorySpans = pgTable(
  "inventory_spans",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    /** `maintenance` or `decommissioned`. */
    state: text("state").notNull(),
    /** The place of the host; for a device, where it was when this was said. */
    clusterId: text("cluster_id").notNull(),
    hostname: text("hostname").notNull(),
    /** Empty for a host. */
    uuid: text("uuid").notNull(),
    /** What the uuids of the device's MIG instances begin with; empty for a host. */
    migPrefix: text("mig_prefix").notNull(),
    /** The span of the host with which this device was decommissioned. */
    hostSpanId: bigint("host_span_id", { mode: "number" }),
    fromAt: instant("from_at").notNull(),
    /** NULL: without an end. */
    toAt: instant("to_at"),
    note: text("note").notNull(),
    changedAt: instant("changed_at").notNull().defaultNow(),
    /** When it reported again although it was decommissioned; set a while afterwards, by one process. */
    returnedAt: instant("returned_at"),
  },
  (table) => [
    index("inventory_spans_uuid").on(table.uuid),
    index("inventory_spans_host").on(table.clusterId, table.hostname),
  ],
);
