import {
  getNamedType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from "graphql";
import { ApiError } from "../../../src/routes/http/api-error.ts";

/** The function of a field that answers. */
export type Resolve = (...of: unknown[]) => unknown;

/** The fields that have rules, and those of the roots. */
export function* fieldsOf(schema: GraphQLSchema) {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith("__")) continue;
    const isRoot = ["Query", "Mutation", "Subscription"].includes(type.name);
    for (const field of Object.values(type.getFields())) {
      if (isRoot || "scope" in field.extensions) yield { place: `${type.name}.${field.name}`, type, field };
    }
  }
}

/** The code of the error of the API, or undefined if there is none. */
export function outcomeOf(act: () => unknown): string | undefined {
  try {
    // an answer that comes later was not refused
    void Promise.resolve(act()).catch(() => undefined);
    return undefined;
  } catch (error) {
    return error instanceof ApiError ? error.code : undefined;
  }
}

/** A request for a field, with a value for each argument that it needs. */
export function requestOf({ name, args, type }: GraphQLField<unknown, unknown>): string {
  const needed = args.filter(isRequiredArgument).map((arg) => `${arg.name}: ${valueOf(arg.type)}`);
  const given = needed.length === 0 ? "" : `(${needed.join(", ")})`;
  return `${name}${given}${isLeafType(getNamedType(type)) ? "" : " { __typename }"}`;
}

function valueOf(type: GraphQLInputType): string {
  const named = getNamedType(type);
  if (isEnumType(named)) return named.getValues()[0]?.name ?? "";
  if (named.name === "Int") return "1";
  return named.name === "DateTime" ? '"2025-07-18T20:42:34Z"' : '"none"';
}
