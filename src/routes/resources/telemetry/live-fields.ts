import { Type } from "@sinclair/typebox";
import { GraphQLList, GraphQLNonNull, type GraphQLFieldConfigArgumentMap, GraphQLString } from "graphql";
import { selectorFields } from "../../schemas/gpu-selector.ts";
import { toApiRecord } from "../../schemas/telemetry-record.ts";
import type { LiveFilter } from "../../live/live-feed.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { badInput } from "../../graphql-kit/graphql-errors.ts";
import { liveRecords } from "../../graphql-kit/live/live-records.ts";
import type { EnumTypes } from "../../graphql-kit/types/enums.ts";
import { argumentsOf, parametersOf } from "../../graphql-kit/types/arguments.ts";
import type { OutputTypes } from "../../graphql-kit/types/output-types.ts";
import type { Field } from "../../graphql-kit/field.ts";

const { gpu_uuid, cluster_id, hostname, namespace } = selectorFields;
const filters = Type.Object({ gpu_uuid, cluster_id, hostname, namespace });
const uuidsMax = 1000;
const uuids: GraphQLFieldConfigArgumentMap = {
  gpuUuids: {
    description: `Only these GPUs, at most ${uuidsMax}`,
    type: new GraphQLList(new GraphQLNonNull(GraphQLString)),
  },
};

/** What is told as it comes. */
export function liveFields(types: OutputTypes, enums: EnumTypes): Record<string, Field> {
  return {
    telemetry: {
      type: new GraphQLNonNull(types.of("TelemetryRecord")),
      description:
        "The newest record of each GPU that fits, as it comes; the same once more where it gets more metrics. Who reads too " +
        "slowly gets the newest of each GPU and not what was in between",
      args: { ...argumentsOf(filters, enums), ...uuids },
      subscribe: (_, args, { operation }) => {
        const { feed, admission } = operation.beyond;
        return admission.admit(liveRecords(feed, filterOf(args as Readonly<Record<string, unknown>>)));
      },
      resolve: (record) => toApiRecord(record as StoredRecord),
    },
  };
}

/** @throws GraphQLError where both one GPU and several are named, or too many */
function filterOf(args: Readonly<Record<string, unknown>>): LiveFilter {
  const {
    gpu_uuid: uuid,
    cluster_id: clusterId,
    hostname: host,
    namespace: space,
  } = parametersOf(filters, args) as Partial<Record<string, string>>;
  const several = (args["gpuUuids"] as readonly string[] | null | undefined) ?? undefined;
  if (several !== undefined && several.length > uuidsMax) {
    throw badInput(`gpuUuids has ${several.length} elements; expected at most ${uuidsMax}`);
  }
  if (several !== undefined && uuid !== undefined)
    throw badInput("gpuUuid and gpuUuids are given; expected one of them");
  const gpuUuids = uuid === undefined ? several : [uuid];
  return {
    ...(gpuUuids === undefined ? {} : { gpuUuids }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(space === undefined ? {} : { namespace: space }),
  };
}
