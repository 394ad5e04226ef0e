import type { Attributes } from "../../domain/gpu.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { numberArray } from "./array-literal.ts";

/** The id of attributes that inputs have reported about a GPU. */
export interface ReportId {
  readonly gpuKey: number;
  readonly attributesId: number;
}

/** Attributes that inputs have reported about a GPU. */
export interface ReportedAttributes extends ReportId {
  readonly attributes: Attributes;
}

const insertText = `
insert into reported_attributes (gpu_key, attributes_id, ${attributeColumns.names()})
select gpu_key, attributes_id, ${attributeColumns.unnested("u")}
from unnest($1::text::int8[], $2::text::int8[], ${attributeColumns.parameters(3)})
  as u(gpu_key, attributes_id, ${attributeColumns.names()})
order by gpu_key, attributes_id
on conflict do nothing`;

/** Adds the attributes that the table does not have yet. */
export function insertReported(transaction: SqlTransaction, rows: readonly ReportedAttributes[]): void {
  if (rows.length === 0) return;
  transaction.send(insertText, [
    numberArray(rows.map(({ gpuKey }) => gpuKey)),
    numberArray(rows.map(({ attributesId }) => attributesId)),
    ...attributeColumns.arrays(rows.map(({ attributes }) => attributes)),
  ]);
}

/** A record whose report is looked up. */
export interface RecordReport {
  readonly gpuKey: number;
  readonly timeMs: number;
  /** Null for a record that is older than `reported_attributes`; the GPU's report at the instant then applies. */
  readonly attributesId: number | null;
}

const ofRecordsText = `
select (u.place - 1)::float8 as index, r.attributes_id::float8 as "attributesId", ${attributeColumns.selected("r")}
from unnest($1::text::int8[], $2::text::float8[], $3::text::int8[]) with ordinality
  as u(gpu_key, time_ms, attributes_id, place)
join reported_attributes r on r.gpu_key = u.gpu_key and r.attributes_id = coalesce(u.attributes_id, (
  select p.attributes_id from gpu_reports p
  where p.gpu_key = u.gpu_key and p.valid_from <= to_timestamp(u.time_ms / 1000.0) order by p.valid_from desc limit 1))`;

/** Reads what stored records report about their GPUs. @returns the attributes, by the index of the record */
export async function reportsOfRecords(
  executor: SqlExecutor,
  records: readonly RecordReport[],
): Promise<ReadonlyMap<number, Omit<ReportedAttributes, "gpuKey">>> {
  if (records.length === 0) return new Map();
  const rows = await executor.query<{ index: number; attributesId: number } & Attributes>(ofRecordsText, [
    numberArray(records.map(({ gpuKey }) => gpuKey)),
    numberArray(records.map(({ timeMs }) => timeMs)),
    numberArray(records.map(({ attributesId }) => attributesId ?? NaN)),
  ]);
  return new Map(
    rows.map((row) => [row.index, { attributesId: row.attributesId, attributes: attributeColumns.pick(row) }]),
  );
}

const selectText = `
select r.gpu_key::float8 as "gpuKey", r.attributes_id::float8 as "attributesId", ${attributeColumns.selected("r")}
from (select distinct gpu_key, attributes_id from unnest($1::text::int8[], $2::text::int8[]) as u(gpu_key, attributes_id)) k
join reported_attributes r using (gpu_key, attributes_id)`;

/** Reads attributes by their ids. */
export async function selectReported(executor: SqlExecutor, ids: readonly ReportId[]): Promise<ReportedAttributes[]> {
  if (ids.length === 0) return [];
  const rows = await executor.query<ReportId & Attributes>(selectText, [
    numberArray(ids.map(({ gpuKey }) => gpuKey)),
    numberArray(ids.map(({ attributesId }) => attributesId)),
  ]);
  return rows.map((row) => ({
    gpuKey: row.gpuKey,
    attributesId: row.attributesId,
    attributes: attributeColumns.pick(row),
  }));
}
