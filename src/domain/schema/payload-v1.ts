import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../batch.ts";
import { readingFaults } from "../reading.ts";

const index = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
const tallyCount = Type.Integer({ minimum: 0 });

/** A column of the payload: the values of the records that have the metric, in order.
 *  `at` has the indexes of these records, each as the difference from the previous index; it is absent if all records have
 *  the metric. If all values are equal, `same` has the value, and `values` is absent. */
const column = Type.Object({
  metric: Type.String(),
  at: Type.Optional(Type.Array(index)),
  values: Type.Optional(Type.Array(Type.Number())),
  same: Type.Optional(Type.Number()),
});

const customValue = Type.Object({ record: index, metric: Type.String(), value: Type.Number() });

const gpu = Type.Object({
  uuid: Type.String({ minLength: 1 }),
  clusterId: Type.String(),
  hostname: Type.String({ minLength: 1 }),
  gpuId: Type.Integer({ minimum: 0 }),
  device: Type.String(),
  modelName: Type.String(),
  driverVersion: Type.String(),
  properties: Type.Record(Type.String(), Type.String()),
});

/** The payload `v1`: a RecordBatch in columns with dictionaries.
 *  Times and GPU indexes are differences from the previous record, because small numbers compress well. */
export const payloadV1 = Type.Object({
  records: index,
  /** Each uuid once, with the attributes of its newest record. */
  gpus: Type.Array(gpu),
  /** Other attributes that these GPUs have in the batch. Absent: there are none. */
  variants: Type.Optional(Type.Array(gpu)),
  /** For each record, the index of its GPU in `variants`, counted from 1; 0 if the attributes are those in `gpus`. */
  variantIndexes: Type.Optional(Type.Array(index)),
  workloads: Type.Array(Type.Object({ container: Type.String(), pod: Type.String(), namespace: Type.String() }), {
    minItems: 1,
  }),
  gpuSteps: Type.Array(Type.Integer()),
  timeStepsMs: Type.Array(Type.Number()),
  /** The first workload of each record's occupants. Absent: no record has a workload. */
  workloadIndexes: Type.Optional(Type.Array(index)),
  /** The occupants of the records that have several, each as its workloads' indexes. Absent: no record has several. */
  sharing: Type.Optional(Type.Array(Type.Array(index, { minItems: 2 }))),
  /** For each record, the index of its element in `sharing`, counted from 1; 0 if the record has at most one workload. */
  sharingIndexes: Type.Optional(Type.Array(index)),
  columns: Type.Array(column),
  custom: Type.Array(customValue),
  /** Absent: unknown, if the tally counts conflicts; otherwise there are none. */
  conflicting: Type.Optional(Type.Array(customValue)),
  rejected: Type.Array(
    Type.Object({
      line: Type.Integer({ minimum: 0 }),
      byte: Type.Integer({ minimum: 0 }),
      reason: Type.Union(rejectReasons.map((reason) => Type.Literal(reason))),
      field: Type.String(),
      value: Type.String(),
      message: Type.String(),
      raw: Type.String(),
    }),
  ),
  tally: Type.Object({
    rows: tallyCount,
    samples: tallyCount,
    missing: tallyCount,
    duplicates: tallyCount,
    /** Absent: 0. */
    conflicts: Type.Optional(tallyCount),
    blankLines: tallyCount,
    repeatedHeaders: tallyCount,
  }),
  /** The series that ended. Absent: none, or the sender is older than this field. */
  ends: Type.Optional(
    Type.Array(
      Type.Object({
        uuid: Type.String(),
        timeMs: Type.Number(),
        sinceMs: Type.Optional(Type.Number()),
        series: Type.Array(Type.String()),
      }),
    ),
  ),
  /** Absent: the source has no schedule, or its streamer is older than this field. */
  reading: Type.Optional(
    Type.Object({
      timeMs: Type.Number(),
      intervalMs: Type.Number({ exclusiveMinimum: 0 }),
      outcome: Type.Union([Type.Literal("read"), Type.Literal("missed")]),
      reason: Type.Optional(Type.Union(readingFaults.map((reason) => Type.Literal(reason)))),
      message: Type.Optional(Type.String()),
      count: tallyCount,
      frozen: Type.Optional(tallyCount),
      ended: Type.Optional(Type.Boolean()),
      /** Which GPUs of this payload `frozen` counts: their indexes in `gpus`. Absent: `frozen` is absent, too, or the streamer is older
       *  than this field. */
      frozenDevices: Type.Optional(Type.Union([Type.Literal("all"), Type.Array(index)])),
    }),
  ),
});

export type PayloadV1 = Static<typeof payloadV1>;
