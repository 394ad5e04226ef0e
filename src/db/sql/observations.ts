import type { Occupants } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";
import { epochMs } from "./epoch-ms.ts";
import { type BlockOfGpu, readJoinedBlocks, sentBlock } from "./sent-blocks.ts";
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
  readonly block: Uint8Array | null;
}

/** What is stored at the place of a record. */
export interface Observations {
  readonly rows: readonly ObservedRecord[];
  /** Places within blocks, which may have a record there. */
  readonly settled: readonly (Pick<ObservedRecord, "gpuKey" | "timeMs" | "nextRecordMs"> & {
    readonly block: BlockOfGpu;
    /** The instant of the batch's next record of the GPU. */
    readonly untilMs: number;
  })[];
}

const at = "to_timestamp(o.time_ms / 1000.0)";
const next = `
left join lateral (
  select least((
    select time from telemetry where gpu_key = o.gpu_key and time > ${at} and time < o.until_at order by time limit 1), (
    select from_at from blocks where gpu_key = o.gpu_key and from_at > ${at} and from_at < o.until_at order by from_at limit 1)) as time) n on true`;
const place = `o.gpu_key::float8 as "gpuKey", o.time_ms as "timeMs", ${epochMs("n.time")} as "nextRecordMs"`;
const text = `
with o as materialized (
  select * from unnest($1::text::int8[], $2::text::float8[], $3::text::timestamptz[]) as o(gpu_key, time_ms, until_at))
select ${place}, t.container, t.pod, t.namespace, t.occupants, t.attributes_id::float8 as "attributesId",
  null::bytea as block
from o join telemetry t on t.gpu_key = o.gpu_key and t.time = ${at} ${next}
union all
select ${place}, null, null, null, null, null, ${sentBlock("b", { metrics: [], withOthers: false, withRuns: true })}
from o cross join lateral (
  select * from blocks b where b.gpu_key = o.gpu_key and b.from_at <= ${at} order by b.from_at desc limit 1) b ${next}
where b.to_at >= ${at}`;

/** Reads records back as they are stored, merged with those of other batches. A record that has been deleted meanwhile is left out. */
export async function selectObservations(executor: SqlExecutor, places: RecordPlaces): Promise<Observations> {
  const until = places.untilMs.map((ms) => (ms === Infinity ? "infinity" : new Date(ms).toISOString()));
  const params = [numberArray(places.gpuKeys), numberArray(places.timesMs), textArray(until)];
  const read = (await executor.query<ObservedRow>(text, params)).map(({ nextRecordMs, ...row }) => ({
    ...row,
    nextRecordMs: nextRecordMs === null ? undefined : Math.round(nextRecordMs),
  }));
  const untilOf = new Map(places.untilMs.map((ms, index) => [`${places.gpuKeys[index]} ${places.timesMs[index]}`, ms]));
  return {
    rows: read
      .filter(({ block }) => block === null)
      .map((row) => ({
        gpuKey: row.gpuKey,
        timeMs: row.timeMs,
        nextRecordMs: row.nextRecordMs,
        occupants: storedOccupants(row),
        attributesId: row.attributesId ?? undefined,
      })),
    settled: read.flatMap(({ gpuKey, timeMs, nextRecordMs, block }) => {
      const untilMs = untilOf.get(`${gpuKey} ${timeMs}`) ?? Infinity;
      return readJoinedBlocks(block, []).map((of) => ({ gpuKey, timeMs, nextRecordMs, untilMs, block: of }));
    }),
  };
}
