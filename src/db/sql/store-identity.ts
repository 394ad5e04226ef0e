import type { SqlExecutor } from "../client.ts";

/** @returns the database's id as a store; undefined if it has none yet */
export async function readStoreId(executor: SqlExecutor): Promise<string | undefined> {
  const [row] = await executor.query<{ id: string }>("select store_id as id from store_identity");
  return row?.id;
}

/** Gives the database an id as a store, unless it has one. */
export async function createStoreId(executor: SqlExecutor): Promise<void> {
  await executor.query("insert into store_identity default values on conflict do nothing");
}
