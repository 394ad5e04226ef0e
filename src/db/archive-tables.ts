import { bigint, boolean, check, integer, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const count = (name: string) => bigint(name, { mode: "number" }).notNull();

/** Which process writes the archive, where, and what waits: one row. A process leads until its lease ends. */
export const archiveLead = pgTable(
  "archive_lead",
  {
    row: integer("row").primaryKey().default(1),
    /** The process that leads. */
    holder: text("holder").notNull(),
    /** The folder or the bucket. In another place, nothing is archived yet. */
    place: text("place").notNull(),
    expiresAt: instant("expires_at").notNull(),
    /** Hours that are over and not archived, or not as they are now. */
    waitingHours: integer("waiting_hours").notNull().default(0),
    /** The first of them; NULL: none. */
    waitingFrom: instant("waiting_from"),
    /** Why the last attempt failed; empty if it did not. */
    failure: text("failure").notNull().default(""),
  },
  (table) => [check("archive_lead_one_row", sql`${table.row} = 1`)],
);

/** Hours of which a process has started to write the archive. */
export const archiveHours = pgTable("archive_hours", {
  hour: instant("hour").primaryKey(),
  /** True until all files of the hour are written. */
  isOpen: boolean("is_open").notNull(),
  archivedAt: instant("archived_at"),
});

/** Hours of `archive_hours` for which records have come since their records were read. */
export const archiveChanges = pgTable("archive_changes", { hour: instant("hour").primaryKey() });

/** The files of the archive: one for each hour and cluster. */
export const archiveFiles = pgTable(
  "archive_files",
  {
    hour: instant("hour").notNull(),
    clusterId: text("cluster_id").notNull(),
    path: text("path").notNull(),
    records: count("records"),
    bytes: count("bytes"),
    /** In hexadecimal digits. */
    sha256: text("sha256").notNull(),
    writtenAt: instant("written_at").notNull(),
  },
  (table) => [primaryKey({ name: "archive_files_pkey", columns: [table.hour, table.clusterId] })],
);
