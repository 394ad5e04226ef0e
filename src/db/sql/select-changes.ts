import type { AttributesSpan, ChangesFilter, GpuChanges, WorkloadSpan } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns, occupantsColumns } from "../gpu-columns.ts";
import { Conditions } from "./conditions.ts";

const validFrom = `extract(epoch from g.valid_from)::float8 * 1000 as "fromMs"`;

/** Reads the attributes and workloads of a GPU, oldest first: those at the beginning of the range, and all that begin within
 *  the range. */
export async function selectChanges(executor: SqlExecutor, filter: ChangesFilter): Promise<GpuChanges> {
  return {
    attributes: await spans<AttributesSpan>(executor, filter, {
      table: "gpu_attributes",
      columns: attributeColumns.selected("g"),
    }),
    workloads: await spans<WorkloadSpan>(executor, filter, {
      table: "gpu_workloads",
      columns: occupantsColumns.selected("g"),
    }),
  };
}

async function spans<Row extends { readonly fromMs: number }>(
  executor: SqlExecutor,
  { uuid, range: { fromMs, toMs } }: ChangesFilter,
  { table, columns }: { readonly table: string; readonly columns: string },
): Promise<Row[]> {
  const ofGpu = new Conditions().add("s.gpu_key = (select gpu_key from gpus where uuid = ?)", uuid);
  if (Number.isFinite(fromMs)) {
    const start = `to_timestamp(${ofGpu.param(fromMs)}::float8 / 1000.0)`;
    ofGpu.add(
      `s.valid_from >= coalesce((
        select max(valid_from) from ${table} where valid_from <= ${start}
          and gpu_key = (select gpu_key from gpus where uuid = ?)), ${start})`,
      uuid,
    );
  }
  ofGpu.within("s.valid_from", { fromMs: -Infinity, toMs });
  const text = `
select ${validFrom}, ${columns} from (select * from ${table} s ${ofGpu.after("where")}) g order by g.valid_from`;
  const rows = await executor.query<Row>(text, ofGpu.params);
  return rows.map((row) => ({ ...row, fromMs: Math.round(row.fromMs) }));
}
