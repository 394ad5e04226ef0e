import { sql } from "drizzle-orm";
import { bigint, customType, index, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const multirange = customType<{ data: string }>({ dataType: () => "tstzmultirange" });

/** When series of a device ended, as a scrape showed or a sender of remote write or OTLP told: the source had no values of them any more. Two
 *  sources may tell ends of one device and instant, each of other series. */
export const seriesEnds = pgTable(
  "series_ends",
  {
    gpuKey: bigint("gpu_key", { mode: "number" }).notNull(),
    time: instant("time").notNull(),
    /** When the source had values of them for the last time: a series with a later value of another source goes on. Infinity: not known. */
    since: instant("since")
      .notNull()
      .default(sql`'infinity'`),
    /** As records name them: metrics, and the names of labelled series. */
    series: text("series").array().notNull(),
  },
  (table) => [
    primaryKey({ name: "series_ends_pkey", columns: [table.gpuKey, table.time] }),
    index("series_ends_time").on(table.time),
  ],
);

/** When the missed readings of `source_readings` were due. Hours that older versions have counted have no rows. */
export const sourceMisses = pgTable(
  "source_misses",
  {
    sourceId: text("source_id").notNull(),
    hour: instant("hour").notNull(),
    reason: text("reason").notNull(),
    /** A missed reading takes the time from its scheduled time to the next one. */
    spans: multirange("spans").notNull(),
  },
  (table) => [
    primaryKey({ name: "source_misses_pkey", columns: [table.sourceId, table.hour, table.reason] }),
    index("source_misses_hour").on(table.hour),
  ],
);

/** When sources with a schedule ended: a streamer had read the source, and its list of targets no longer had it, or an operator said so.
 *  A later reading begins the source again. */
export const sourceEnds = pgTable(
  "source_ends",
  {
    sourceId: text("source_id").notNull(),
    endedAt: instant("ended_at").notNull(),
  },
  (table) => [
    primaryKey({ name: "source_ends_pkey", columns: [table.sourceId, table.endedAt] }),
    index("source_ends_ended").on(table.endedAt),
  ],
);

/** The readings of each hour in which a source repeated the old values of a device. No row: none. */
export const frozenReadings = pgTable(
  "frozen_readings",
  {
    sourceId: text("source_id").notNull(),
    hour: instant("hour").notNull(),
    gpuKey: bigint("gpu_key", { mode: "number" }).notNull(),
    readings: bigint("readings", { mode: "number" }).notNull(),
  },
  (table) => [
    primaryKey({ name: "frozen_readings_pkey", columns: [table.sourceId, table.hour, table.gpuKey] }),
    index("frozen_readings_hour").on(table.hour, table.gpuKey),
  ],
);
