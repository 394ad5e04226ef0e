import type { SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { beginChange } from "./gpu-states.ts";

// A GPU is **contested** once two hosts have reported its uuid at one instant. Then a batch no longer says what the hot tier
// should hold: the store may reject a record of the batch, or replace a record of an earlier batch. So the hot tier gets the state
// of such a GPU from the store, in versions. A version is increased in the same transaction that reads the state, while the GPU's
// row is locked, so that a later version includes every record that was committed before.

/** Marks GPUs as contested, and announces this as a change of the GPUs. Call it as the last statement of a transaction that stores
 *  records: other transactions may wait for the rows of these GPUs. */
export async function markContested(transaction: SqlTransaction, gpuKeys: readonly number[]): Promise<void> {
  const keys = [...new Set(gpuKeys)];
  if (keys.length === 0) return;
  const [{ count } = { count: 0 }] = await transaction.query<{ count: number }>(countText, [numberArray(keys)]);
  if (count === 0) return;
  transaction.send(markText, [await beginChange(transaction), numberArray(keys)]);
}

const countText = `
select count(*)::int as count from gpus join unnest($1::text::int8[]) as u(gpu_key) using (gpu_key)
where contested_version is null`;

const markText = `
with contested as (
  select gpu_key from gpus join unnest($2::text::int8[]) as u(gpu_key) using (gpu_key)
  where contested_version is null order by gpu_key for update of gpus
)
update gpus set contested_version = 0, revision = $1 from contested where gpus.gpu_key = contested.gpu_key`;

// the time keeps versions increasing even if a backup is restored
const nextVersionText = `
update gpus set contested_version = greatest(contested_version + 1, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
from unnest($1::text::int8[]) as u(gpu_key) where gpus.gpu_key = u.gpu_key`;

/** Increases the versions of contested GPUs, whose rows must be locked. */
export function nextVersions(transaction: SqlTransaction, gpuKeys: readonly number[]): void {
  transaction.send(nextVersionText, [numberArray(gpuKeys)]);
}
