import { GraphQLObjectType, GraphQLSchema } from "graphql";
import { type FieldMap, schemaKit } from "../graphql-kit/field.ts";
import type { ResourceFields } from "../resources/resource.ts";
import { resources } from "../resources/resources.ts";

/** Makes the GraphQL schema from the fields of all resources. */
export function makeSchema(): GraphQLSchema {
  const kit = schemaKit((typeName) => merged(({ relations }) => relations[typeName] ?? {}));
  const fields = resources.map((resource) => resource.fields(kit));
  function merged(pick: (of: ResourceFields) => FieldMap): FieldMap {
    return Object.fromEntries(fields.flatMap((of) => Object.entries(pick(of))));
  }
  const root = (name: string, pick: (of: ResourceFields) => FieldMap) =>
    new GraphQLObjectType({ name, fields: merged(pick) });
  return new GraphQLSchema({
    query: root("Query", ({ query }) => query),
    mutation: root("Mutation", ({ mutation }) => mutation),
    subscription: root("Subscription", ({ subscription }) => subscription),
  });
}
