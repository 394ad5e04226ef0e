import { sql } from "drizzle-orm";
import { check, integer, pgTable, text } from "drizzle-orm/pg-core";

/** The id of this store, in one row: a queue in etcd names the store that its messages go to. */
export const storeIdentity = pgTable(
  "store_identity",
  {
    row: integer("row").primaryKey().default(1),
    storeId: text("store_id")
      .notNull()
      .default(sql`gen_random_uuid()`),
  },
  (table) => [check("store_identity_one_row", sql`${table.row} = 1`)],
);
