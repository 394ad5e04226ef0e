import { bigint, customType, index, integer, jsonb, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

const count = (name: string) => bigint(name, { mode: "number" }).notNull();
const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** What a source's folded messages add up to: those whose rows are no longer in `ingested_messages`. */
export const foldedTotals = pgTable("folded_totals", {
  sourceId: text("source_id").primaryKey(),
  messages: count("messages"),
  rows: count("rows"),
  samples: count("samples"),
  missing: count("missing"),
  duplicates: count("duplicates"),
  conflicts: count("conflicts"),
  blankLines: count("blank_lines"),
  repeatedHeaders: count("repeated_headers"),
  recordsInserted: count("records_inserted"),
  recordsMerged: count("records_merged"),
  rejected: jsonb("rejected").$type<Record<string, number>>().notNull(),
  /** The greatest `from_offset`. */
  lastOffset: count("last_offset"),
});

/** The ranges of a source that its folded messages cover, with adjacent ones joined. */
export const foldedRanges = pgTable(
  "folded_ranges",
  {
    sourceId: text("source_id").notNull(),
    fromOffset: count("from_offset"),
    fromLine: count("from_line"),
    toOffset: count("to_offset"),
    toLine: count("to_line"),
  },
  (table) => [primaryKey({ name: "folded_ranges_pkey", columns: [table.sourceId, table.fromOffset] })],
);

/** The idempotency keys of folded messages that cover no range, so that a later delivery is recognised as a duplicate. */
export const foldedKeys = pgTable(
  "folded_keys",
  {
    sourceId: text("source_id").notNull(),
    /** `from_offset` / 3,600,000, rounded down: the hour of a live source's messages. */
    part: count("part"),
    /** The number of keys. */
    keys: integer("keys").notNull(),
    /** The first 8 bytes of the SHA-256 of each key. */
    hashes: bytes("hashes").notNull(),
    /** When the newest of the messages was stored. */
    storedAt: timestamp("stored_at", { withTimezone: true, mode: "date" }).notNull(),
  },
  (table) => [
    primaryKey({ name: "folded_keys_pkey", columns: [table.sourceId, table.part] }),
    index("folded_keys_stored").on(table.storedAt),
  ],
);
