import type { TObject } from "@sinclair/typebox";
import { healthSchema, probeSchema } from "../operations/health.ts";
import { resources } from "../resources/resources.ts";
import { errorSchema } from "../schemas/envelope.ts";
import { nameOf } from "../schemas/named-schema.ts";

const schemas = [errorSchema, healthSchema, probeSchema, ...resources.flatMap((resource) => resource.schemas)];

/** The API's schemas by name, in alphabetical order. */
export const namedSchemas: Readonly<Record<string, TObject>> = Object.fromEntries(
  schemas.map((schema) => [nameOf(schema), schema] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
