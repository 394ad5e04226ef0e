import type { SqlClient } from "../../src/db/client.ts";
import { holdHours, hoursOf } from "../../src/db/sql/hour-locks.ts";
import { unsettle } from "../../src/pipeline/store/sql/unsettle.ts";

/** Makes rows of all blocks. */
export async function unsettleAll(client: SqlClient): Promise<void> {
  const blocks = await client.query<{ gpuKey: number; fromMs: number }>(
    `select gpu_key::float8 as "gpuKey", extract(epoch from from_at)::float8 * 1000 as "fromMs" from blocks`,
  );
  const timesMs = blocks.map(({ fromMs }) => fromMs);
  await client.transaction(async (transaction) => {
    holdHours(transaction, hoursOf(timesMs));
    await unsettle(transaction, hoursOf(timesMs), { gpuKeys: blocks.map(({ gpuKey }) => gpuKey), timesMs });
  });
}

/** The number of hours of GPUs that are both in rows and in blocks. */
export async function gpuHoursInBoth(client: SqlClient): Promise<number> {
  const [row] = await client.query<{ count: number }>(
    `select count(*)::float8 as count from (
      select gpu_key, date_bin('1 hour', time, timestamptz '2000-01-01 00:00:00Z') from telemetry
      intersect select gpu_key, date_bin('1 hour', from_at, timestamptz '2000-01-01 00:00:00Z') from blocks) hours`,
  );
  return row?.count ?? NaN;
}
