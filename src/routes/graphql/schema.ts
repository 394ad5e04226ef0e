import { GraphQLObjectType, GraphQLSchema } from "graphql";
import { namedSchemas } from "../openapi/components.ts";
import { deadLetterFields, deadLetterMutations } from "../resources/pipeline/dead-letter-fields.ts";
import { FieldMaker } from "../graphql-kit/field.ts";
import { fleetFields } from "../resources/gpus/gpu-fields.ts";
import { historyFields } from "../resources/telemetry/telemetry-fields.ts";
import { liveFields } from "../resources/telemetry/live-fields.ts";
import { relationsOf } from "../resources/hierarchy/relations.ts";
import { EnumTypes } from "../graphql-kit/types/enums.ts";
import { OutputTypes } from "../graphql-kit/types/output-types.ts";

/** The GraphQL schema: its types are the API's TypeBox schemas, its arguments REST's parameters. */
export function makeSchema(): GraphQLSchema {
  const enums = new EnumTypes();
  const fields = new FieldMaker(enums);
  const types = new OutputTypes(namedSchemas, enums, relationsOf(fields));
  return new GraphQLSchema({
    query: new GraphQLObjectType({
      name: "Query",
      fields: {
        ...fleetFields(types, fields),
        ...historyFields(types, fields, enums),
        ...deadLetterFields(types, fields),
      },
    }),
    mutation: new GraphQLObjectType({ name: "Mutation", fields: deadLetterMutations(types, fields) }),
    subscription: new GraphQLObjectType({ name: "Subscription", fields: liveFields(types, enums) }),
  });
}
