import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { attributeAt } from "./history-part.ts";
import { OwnRows } from "./own-rows.ts";

/** The place of a record in the history. */
export interface RecordPlace {
  readonly gpuKey: number;
  readonly timeMs: number;
}

/** True if a selector selects records by where their GPUs were: `matchingPlaces` then has to look. */
export function restrictsPlaces({ clusterId, hostname, gpuId, modelName, within }: GpuSelector): boolean {
  return (
    clusterId !== undefined ||
    hostname !== undefined ||
    gpuId !== undefined ||
    modelName !== undefined ||
    within?.clusters !== undefined ||
    within?.hosts !== undefined
  );
}

/** Finds the records whose GPUs were where a selector has them, by the conditions that `partStatement` has for rows.
 *  @returns their places, in the same order */
export async function matchingPlaces<Place extends RecordPlace>(
  executor: SqlExecutor,
  selector: GpuSelector,
  places: readonly Place[],
): Promise<Place[]> {
  if (places.length === 0) return [];
  const conditions = new Conditions([
    numberArray(places.map(({ gpuKey }) => gpuKey)),
    numberArray(places.map(({ timeMs }) => timeMs)),
  ]);
  const own = selector.within && new OwnRows(selector.within, conditions);
  if (own !== undefined) conditions.addText(own.placedRecord("t"));
  const { clusterId, hostname, gpuId, modelName } = selector;
  if ([clusterId, hostname, gpuId, modelName].some((each) => each !== undefined)) {
    const attribute = (column: string): string => attributeAt(column, "t.time", own);
    addAttributeConditions(conditions, selector, { key: "t.gpu_key", attribute });
  }
  const text = `
select string_agg(t.place::text, ',') as places from (
  select gpu_key, to_timestamp(time_ms / 1000.0) as time, place
  from unnest($1::text::int8[], $2::text::float8[]) with ordinality as u(gpu_key, time_ms, place)) t ${conditions.after("where")}`;
  const [row] = await executor.query<{ places: string | null }>(text, conditions.params);
  const matching = new Set(row?.places?.split(",").map(Number));
  return places.filter((_, index) => matching.has(index + 1));
}
