import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { addAttributeConditions, addPlaceConditions } from "./gpu-conditions.ts";
import { OwnRows } from "./own-rows.ts";

/** Reads the keys of all GPUs that a record of a selector can be of, and maybe those of others, ascending. */
export async function selectKeysOf(executor: SqlExecutor, selector: GpuSelector): Promise<number[]> {
  const { uuids, parentUuid, within } = selector;
  const conditions = new Conditions();
  const named = { ...(uuids && { uuids }), ...(parentUuid !== undefined && { parentUuid }) };
  addAttributeConditions(conditions, named, { key: "g.gpu_key", attribute: (column) => column });
  const had = addPlaceConditions(new Conditions(conditions.params), selector, (column) => `a.${column}`);
  const own = within && new OwnRows(within, conditions);
  if (own?.restrictsPlaces === true) had.addText(own.place("a"));
  if (!had.isEmpty) {
    conditions.addText(`exists (select from gpu_attributes a where a.gpu_key = g.gpu_key ${had.after("and")})`);
  }
  if (own?.restrictsNamespaces === true) conditions.addText(own.wasHeldBy("g.gpu_key", "'infinity'"));
  const text = `select g.gpu_key::float8 as "gpuKey" from gpus g ${conditions.after("where")} order by g.gpu_key`;
  return (await executor.query<{ gpuKey: number }>(text, conditions.params)).map(({ gpuKey }) => gpuKey);
}
