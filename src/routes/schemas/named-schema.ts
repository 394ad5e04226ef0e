import type { TSchema } from "@sinclair/typebox";

/** The name of an API type: its `$id`. The OpenAPI document, GraphQL and generated clients use the name.
 *  @throws TypeError if the schema has no `$id` */
export function nameOf(schema: TSchema): string {
  if (schema.$id === undefined) throw new TypeError("A schema that the API's documents name needs a $id");
  return schema.$id;
}
