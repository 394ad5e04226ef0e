import type { Occupants } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";
import { type OccupantColumns, storedOccupants } from "./stored-occupants.ts";

/** Records of one batch, each by its GPU and instant; the three columns have the same length. */
export interface RecordPlaces {
  readonly gpuKeys: readonly number[];
  readonly timesMs: readonly number[];
  /** The instant of the batch's next record of the same GPU; Infinity if there is none. */
  readonly untilMs: readonly number[];
}

/** A record with the workloads of its GPU, and what it reports about the GPU. */
export interface ObservedRecord {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly occupants: Occupants;
  /** Undefined for a record that is older than `reported_attributes`. */
  readonly attributesId: number | undefined;
  /** The instant of the GPU's next stored record before the batch's next record of the GPU; undefined if there is none. */
  readonly nextRecordMs: number | undefined;
}

interface ObservedRow extends OccupantColumns {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly attributesId: number | null;
  readonly nextRecordMs: number | null;
}

const text = `
select o.gpu_key::float8 as "gpuKey", o.time_ms as "timeMs", t.container, t.pod, t.namespace, t.occupants,
  t.attributes_id::float8 as "attributesId",
  extract(epoch from n.time)::float8 * 1000 as "nextRecordMs"
from unnest($1::text::int8[], $2::text::float8[], $3::text::timestamptz[]) as o(gpu_key, time_ms, until_at)
join telemetry t on t.gpu_key = o.gpu_key and t.time = to_timestamp(o.time_ms / 1000.0)
left join lateral (
  select least((
    select time from telemetry
    where gpu_key = o.gpu_key and time > to_timestamp(o.time_ms / 1000.0) and time < o.until_at order by time limit 1), (
    select from_at from blocks
    where gpu_key = o.gpu_key and from_at > to_timestamp(o.time_ms / 1000.0) and from_at < o.until_at
    order by from_at limit 1)) as time) n on true
order by o.gpu_key, o.time_ms`;

/** Reads records back as they are stored, merged with those of other batches, ordered by GPU and instant. A record that
 *  has been deleted meanwhile is left out. */
export async function readObservations(executor: SqlExecutor, places: RecordPlaces): Promise<ObservedRecord[]> {
  const until = places.untilMs.map((ms) => (ms === Infinity ? "infinity" : new Date(ms).toISOString()));
  const params = [numberArray(places.gpuKeys), numberArray(places.timesMs), textArray(until)];
  const rows = await executor.query<ObservedRow>(text, params);
  return rows.map(({ gpuKey, timeMs, attributesId, nextRecordMs, ...row }) => ({
    gpuKey,
    timeMs,
    occupants: storedOccupants(row),
    attributesId: attributesId ?? undefined,
    nextRecordMs: nextRecordMs === null ? undefined : Math.round(nextRecordMs),
  }));
}
