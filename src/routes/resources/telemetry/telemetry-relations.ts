import { Type } from "@sinclair/typebox";
import type { ApiGpu } from "../../fleet/fleet-index.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { historyQuery, noQuery, rangeOf } from "../../http/parameters.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import { newestOf } from "./telemetry-fields.ts";

// which metrics come is said by the fields that are selected; older parts are those of Query.telemetry
const telemetryOfGpu = Type.Omit(historyQuery, ["metrics", "cursor"]);

/** From a GPU to its records, and back. */
export function telemetryRelations({ types, field }: SchemaKit): Readonly<Record<string, FieldMap>> {
  return {
    Gpu: {
      latest: field({
        type: types.of(telemetryRecordSchema),
        description: "Its newest record, out of memory",
        takes: noQuery,
        resolve: (gpu: ApiGpu, _, context) => newestOf(gpu, context)[0],
      }),
      telemetry: field({
        type: types.listOf(telemetryRecordSchema),
        description:
          "Its records in the range; where there are more than limit, the newest ones of them. Query.telemetry leads to the " +
          "older ones",
        takes: telemetryOfGpu,
        size: limitOf,
        resolve: async ({ uuid }: ApiGpu, query, { telemetry, beyond }) => {
          const { range, limit } = rangeOf(query);
          const resolution = beyond.history.resolutionOf(query.resolution ?? "raw", range);
          const records = await telemetry.of(uuid, { range, limit, resolution });
          return query.order === "desc" ? records.toReversed() : records;
        },
      }),
    },
    TelemetryRecord: {
      gpu: field({
        type: types.of(gpuSchema),
        description: "The GPU as it is now",
        takes: noQuery,
        resolve: ({ uuid }: ApiGpu, _, { fleet }) => fleet.gpu(uuid),
      }),
    },
  };
}
