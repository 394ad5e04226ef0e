import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import { migUuidPattern } from "../../domain/mig-instance.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { OwnRows, ownTime } from "./own-rows.ts";
import { msOf } from "./source-hours.ts";

/** Reads when each GPU that was ever within was seen within for the first time. */
export async function selectFirstSeen(executor: SqlExecutor, within: GpuBounds): Promise<ReadonlyMap<string, number>> {
  const conditions = new Conditions();
  const text = `
with ${ownTime(new OwnRows(within, conditions))}
select g.uuid, ${msOf("case when isfinite(lower(o.spans)) then lower(o.spans) else g.first_seen_at end")} as "firstMs"
from gpus g join own_time o using (gpu_key)`;
  const rows = await executor.query<{ uuid: string; firstMs: number }>(text, conditions.params);
  return new Map(rows.map(({ uuid, firstMs }) => [uuid, Math.round(firstMs)]));
}

/** True if there is a GPU with this uuid, or a MIG instance of it.
 *  @param within only GPUs that were ever within count; undefined: all do */
export async function selectHas(executor: SqlExecutor, uuid: string, within: GpuBounds | undefined): Promise<boolean> {
  const conditions = new Conditions([uuid, migUuidPattern(uuid)]);
  const keys = "select gpu_key from gpus where uuid = $1 or uuid ~ $2";
  const text =
    within === undefined
      ? `select exists (${keys}) as found`
      : `with ${ownTime(new OwnRows(within, conditions), keys)} select exists (select from own_time) as found`;
  const [row] = await executor.query<{ found: boolean }>(text, conditions.params);
  return row?.found === true;
}
