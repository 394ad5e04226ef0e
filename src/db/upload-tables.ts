import { sql } from "drizzle-orm";
import {
  bigint,
  customType,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const bytes = (name: string) => bigint(name, { mode: "number" });
const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** The tables that clients have sent, and what has become of them (src/domain/upload.ts). */
export const uploads = pgTable(
  "uploads",
  {
    id: text("id").primaryKey(),
    state: text("state").notNull(),
    message: text("message").notNull().default(""),
    fileName: text("file_name").notNull(),
    clusterId: text("cluster_id").notNull(),
    hostname: text("hostname"),
    /** Whose turn it takes: clients take turns. */
    client: text("client").notNull(),
    sender: text("sender").notNull(),
    contentId: text("content_id"),
    /** Every part has so many bytes, except the last one. */
    partBytes: integer("part_bytes").notNull(),
    receivedBytes: bytes("received_bytes").notNull().default(0),
    expectedBytes: bytes("expected_bytes"),
    /** What its parts take in the database. */
    storedBytes: bytes("stored_bytes").notNull().default(0),
    contentBytes: bytes("content_bytes"),
    progress: jsonb("progress"),
    createdAt: instant("created_at").notNull().defaultNow(),
    changedAt: instant("changed_at").notNull().defaultNow(),
    finishedAt: instant("finished_at"),
  },
  (table) => [
    uniqueIndex("uploads_content")
      .on(table.contentId)
      .where(sql`state in ('queued', 'reading', 'done')`),
  ],
);

/** The bytes of uploads that are not finished. */
export const uploadParts = pgTable(
  "upload_parts",
  {
    uploadId: text("upload_id").notNull(),
    /** From 0. */
    number: integer("number").notNull(),
    /** Packed with zstd. */
    bytes: bytea("bytes").notNull(),
  },
  (table) => [primaryKey({ name: "upload_parts_pkey", columns: [table.uploadId, table.number] })],
);
