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
