import { GraphQLObjectType, GraphQLSchema } from "graphql";
import { namedSchemas } from "../docs/components.ts";
import { deadLetterFields, deadLetterMutations } from "./fields/dead-letter-fields.ts";
import { FieldMaker } from "./fields/field.ts";
import { fleetFields } from "./fields/fleet-fields.ts";
import { historyFields } from "./fields/history-fields.ts";
import { liveFields } from "./fields/live-fields.ts";
import { relationsOf } from "./fields/relations.ts";
import { EnumTypes } from "./types/enums.ts";
import { OutputTypes } from "./types/output-types.ts";

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
