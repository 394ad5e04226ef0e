import type { TSchema } from "@sinclair/typebox";

/** An example of an API type, for the OpenAPI document.
 *  @throws TypeError if the schema has no examples */
export function exampleOf(schema: TSchema): unknown {
  const examples: unknown = schema.examples;
  if (!Array.isArray(examples) || examples.length === 0)
    throw new TypeError(`The schema ${schema.$id ?? ""} of an answer needs examples: [one element]`);
  return examples[0];
}

/** The name of an API type: its `$id`. The OpenAPI document, GraphQL and generated clients use the name.
 *  @throws TypeError if the schema has no `$id` */
export function nameOf(schema: TSchema): string {
  if (schema.$id === undefined) throw new TypeError("The schema of an answer needs a $id");
  return schema.$id;
}
