import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import type { OperationContext } from "../../graphql-kit/operation-context.ts";
import { nameOf } from "../../http/parameters/common.ts";
import type { ValuesOf } from "../../http/parameters/parameter.ts";
import { timeRangeOf } from "../../http/parameters/time-bounds.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { gpuChangesSchema, toApiGpuChanges } from "./gpu-changes.ts";
import { changesQuery } from "./gpu-history-routes.ts";
import { gpuPage, gpuPageQuery, gpusOfPage } from "./gpu-page.ts";

const uuid = nameOf("UUID of the GPU or MIG instance", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4");
const gpuChangesQuery = { uuid, ...changesQuery };

const changesDescription =
  "A GPU's places and attributes over time, and the workloads that held it; null if the GPU has no state in the range";
const pageDescription =
  "The same GPUs as the field gpus, with the number of all selected GPUs and the cursor of the next part";

/** The queries for GPUs, answered from memory, and for a GPU's changes, answered from the store. */
export function gpuFields({ types, field }: SchemaKit): FieldMap {
  return {
    gpus: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(gpuSchema),
      description:
        "GPUs that have reported telemetry, ordered by hostname and index, each followed by its MIG instances",
      takes: gpuPageQuery,
      size: gpusOfPage,
      resolve: (_, query, context) => gpuPage(query, context).gpus,
    }),
    gpuPage: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(gpuPageType(types)),
      description: pageDescription,
      takes: gpuPageQuery,
      size: gpusOfPage,
      resolve: (_, query, context) => gpuPage(query, context),
    }),
    gpu: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(gpuSchema),
      description: "The GPU or MIG instance with this uuid; null if it does not exist",
      takes: { uuid },
      resolve: (_, query, { fleet }) => fleet.found(fleet.gpu(query.uuid)),
    }),
    gpuChanges: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(gpuChangesSchema),
      description: changesDescription,
      takes: gpuChangesQuery,
      asksStore: true,
      resolve: (_, query, context) => changesOf(query, context),
    }),
  };
}

async function changesOf(query: ValuesOf<typeof gpuChangesQuery>, { allParts }: OperationContext) {
  const changes = await allParts.queries.fleet.changes({ uuid: query.uuid, range: timeRangeOf(query) });
  return changes.attributes.length === 0 ? null : toApiGpuChanges(query.uuid, changes);
}

function gpuPageType(types: SchemaKit["types"]): GraphQLObjectType {
  return new GraphQLObjectType({
    name: "GpuPage",
    description: "A part of the list of GPUs",
    fields: {
      gpus: { type: types.listOf(gpuSchema), extensions: { size: () => 1 } },
      totalCount: {
        type: new GraphQLNonNull(GraphQLInt),
        description: "Number of selected GPUs and MIG instances, in all parts",
      },
      nextCursor: { type: GraphQLString, description: "The cursor of the next part; null at the end" },
    },
  });
}
