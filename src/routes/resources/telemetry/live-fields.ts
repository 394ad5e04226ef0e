import { type GraphQLFieldConfigArgumentMap, GraphQLList, GraphQLNonNull, GraphQLString } from "graphql";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { badInput } from "../../graphql-kit/graphql-errors.ts";
import { liveRecords } from "../../graphql-kit/live/live-records.ts";
import { argumentsOf, parametersOf } from "../../graphql-kit/types/arguments.ts";
import type { ScopeRule } from "../../http/access/access-rule.ts";
import { gpuSelection } from "../../http/parameters/common.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { telemetryRecordSchema, toApiRecord } from "../../schemas/telemetry-record.ts";

const { gpu_uuid, parent_uuid, cluster_id, hostname, namespace } = gpuSelection;
const filters = { gpu_uuid, parent_uuid, cluster_id, hostname, namespace };
const maxUuids = 1000;
const uuidsArgument: GraphQLFieldConfigArgumentMap = {
  gpuUuids: {
    description: `Only these GPUs, at most ${maxUuids}`,
    type: new GraphQLList(new GraphQLNonNull(GraphQLString)),
  },
};

const liveRule: ScopeRule = { scope: "read", selectors: "narrowed" };

/** The subscription to records. */
export function liveFields({ types, enums }: SchemaKit): FieldMap {
  return {
    telemetry: {
      type: new GraphQLNonNull(types.of(telemetryRecordSchema)),
      description:
        "The newest record of each selected GPU as it arrives, and again when more of its metrics arrive. " +
        "A client that reads too slowly gets only the newest record of each GPU",
      extensions: liveRule,
      args: { ...argumentsOf(filters, enums), ...uuidsArgument },
      subscribe: (_, args, { operation }) => {
        operation.require(liveRule, "Subscription.telemetry", "");
        const { allParts, requester } = operation;
        const records = liveRecords(allParts.feed, selectorIn(args as Readonly<Record<string, unknown>>));
        return allParts.admission.admit(records, requester.caller);
      },
      resolve: (record) => toApiRecord(record as StoredRecord),
    },
  };
}

/** @throws GraphQLError if both gpuUuid and gpuUuids are given, or if gpuUuids has too many elements
 *  @throws InvalidParameter if another argument is not usable */
function selectorIn(args: Readonly<Record<string, unknown>>): GpuSelector {
  const selector = selectorOf(parametersOf(filters, args));
  const uuids = (args["gpuUuids"] as readonly string[] | null | undefined) ?? undefined;
  if (uuids === undefined) return selector;
  if (uuids.length > maxUuids) throw badInput(`gpuUuids has ${uuids.length} elements; expected at most ${maxUuids}`);
  if (selector.uuids !== undefined) {
    throw badInput("Both gpuUuid and gpuUuids are given; expected only one of them");
  }
  return { ...selector, uuids };
}
