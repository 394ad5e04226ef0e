import { metrics } from "../../domain/metrics.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { epochMs } from "./epoch-ms.ts";
import type { OccupantColumns } from "./stored-occupants.ts";

/** A row of telemetry. It also has a property for each metric of the catalogue; null means no value. */
export interface RecordRow extends OccupantColumns {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly custom: Record<string, number> | null;
}

const metricColumns = metrics.map(({ name }) => `t."${name}"`).join(", ");
/** The columns of a row of telemetry `t`. */
export const columns = `t.gpu_key::float8 as "gpuKey", extract(epoch from t.time)::float8 * 1000 as "timeMs", ${metricColumns},
  t.custom, t.container, t.pod, t.namespace, t.occupants`;
/** Rounds the instants of rows that were just read: PostgreSQL's seconds times 1000 are not always whole. In place: copied, rows of so many
 *  columns take as much memory again. */
export function inWholeMilliseconds<Rows extends readonly { readonly timeMs: number }[]>(rows: Rows): Rows {
  for (const row of rows as readonly { timeMs: number }[]) row.timeMs = Math.round(row.timeMs);
  return rows;
}

/** The columns of a block, in a statement that also reads rows, with `columns` and a column `block`.
 *  @param block its name in the statement
 *  @param sent an expression for the whole block (`sentBlock`) */
export function blockColumns(block: string, sent: string): string {
  return `${block}.gpu_key::float8, ${epochMs(`${block}.from_at`)}, ${noneOfRecord}, ${sent}`;
}

const none = (length: number): string => Array.from({ length }, () => "null").join(", ");

const noneOfRecord = none(metrics.length + 5);

/** A row of such a statement: a record, or a block. Of a block, only its key and its first instant are given otherwise. */
export interface RecordOrBlock extends RecordRow {
  readonly block: Uint8Array | null;
}

/** Records by their GPU and instant, in columns of the same length. */
export interface RecordPlaces {
  readonly gpuKeys: ArrayLike<number>;
  readonly timesMs: ArrayLike<number>;
}

/** Reads some records whole. */
export async function selectRecordsAt(executor: SqlExecutor, { gpuKeys, timesMs }: RecordPlaces): Promise<RecordRow[]> {
  const text = `
select ${columns} from unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, time_ms)
join telemetry t on t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0)`;
  const rows = await executor.query<RecordRow>(text, [numberArray(gpuKeys), numberArray(timesMs)]);
  return inWholeMilliseconds(rows);
}
