import type { ApiGpu } from "../../fleet/fleet-index.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { historyQuery, historyRequestOf } from "../../answers/history-request.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { without } from "../../http/parameters/parameter.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import { newestOf } from "./telemetry-fields.ts";

// without metrics, because the selected fields determine them; without a cursor, because Query.telemetry has one
const telemetryOfGpu = without(historyQuery, "metrics", "cursor");

/** Fields that lead from a GPU to its records, and back. */
export function telemetryRelations({ types, field }: SchemaKit): Readonly<Record<string, FieldMap>> {
  return {
    Gpu: {
      latest: field({
        scope: "read",
        selectors: "narrowed",
        type: types.of(telemetryRecordSchema),
        description: "The GPU's newest record, from memory",
        takes: noQuery,
        resolve: (gpu: ApiGpu, _, context) => newestOf(gpu, context)[0],
      }),
      telemetry: field({
        scope: "read",
        selectors: "narrowed",
        type: types.listOf(telemetryRecordSchema),
        description:
          "The GPU's records in the range; if there are more than limit, only the newest. Query.telemetry returns older ones",
        takes: telemetryOfGpu,
        size: limitOf,
        asksStore: true,
        resolve: async ({ uuid }: ApiGpu, query, { historyLoader, allParts }) => {
          const { records, resolution, isNewestFirst } = historyRequestOf(query, {}, allParts.clock.nowMs());
          const oldestFirst = await historyLoader.of(uuid, { ...records, resolution });
          return isNewestFirst ? oldestFirst.toReversed() : oldestFirst;
        },
      }),
    },
    TelemetryRecord: {
      gpu: field({
        scope: "read",
        selectors: "narrowed",
        type: types.of(gpuSchema),
        description: "The GPU as it is now",
        takes: noQuery,
        resolve: ({ uuid }: ApiGpu, _, { fleet }) => fleet.gpu(uuid),
      }),
    },
  };
}
