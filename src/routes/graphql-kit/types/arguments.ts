import type { TObject, TSchema } from "@sinclair/typebox";
import {
  type GraphQLArgumentConfig,
  type GraphQLError,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLInputType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLString,
} from "graphql";
import { ApiError } from "../../http/api-error.ts";
import { checkParameter } from "../../http/parameters.ts";
import { badInput } from "../graphql-errors.ts";
import { type EnumTypes, metricName } from "./enums.ts";
import { camelCase, pascalCase } from "./names.ts";
import { dateTime } from "./scalars.ts";

const alternatives = /^\^\(([\w|]+)\)\$$/;

/** Makes arguments of the parameters that REST takes, with their defaults. What REST writes as a list with commas is a
 *  list. */
export function argumentsOf(parameters: TObject, enums: EnumTypes): GraphQLFieldConfigArgumentMap {
  const required = new Set(parameters.required);
  return Object.fromEntries(
    Object.entries(parameters.properties).map(([name, schema]): [string, GraphQLArgumentConfig] => {
      const type = typeOf(name, schema, enums);
      return [
        camelCase(name),
        {
          description: inGraphqlWords(name, schema.description),
          type: required.has(name) ? new GraphQLNonNull(type) : type,
          defaultValue: schema.default,
        },
      ];
    }),
  );
}

/** Turns arguments into the parameters of REST, by its names; what is null is absent.
 *  @throws GraphQLError where a value is out of its range */
export function parametersOf(parameters: TObject, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(parameters.properties)) {
    const value = args[camelCase(name)];
    if (value === undefined || value === null) continue;
    const parameter = isList(name) ? (value as string[]).join(",") : (value as string | number | boolean);
    inGraphqlNames(parameters, () => checkParameter(name, schema, String(parameter)));
    given[name] = parameter;
  }
  return given;
}

/** Calls what may find fault with parameters by REST's names, and says it by GraphQL's. */
export function inGraphqlNames(parameters: TObject, work: () => unknown): unknown {
  const rethrow = (error: unknown): never => {
    throw error instanceof ApiError && error.status === 400 ? renamed(error, parameters) : error;
  };
  try {
    const result = work();
    return result instanceof Promise ? result.catch(rethrow) : result;
  } catch (error) {
    return rethrow(error);
  }
}

function renamed({ message }: ApiError, parameters: TObject): GraphQLError {
  const names = [...Object.keys(parameters.properties), "next_cursor"].filter((name) => name.includes("_"));
  return badInput(message.replace(new RegExp(`\\b(?:${names.join("|")})\\b`, "g"), camelCase));
}

/** GraphQL's lists have no commas, and its names begin with letters. */
function inGraphqlWords(name: string, description = ""): string {
  const text = isList(name) ? description.replace(" with commas between them", "") : description;
  return text
    .replaceAll("next_cursor", "nextCursor")
    .replace(/\b1m\b/g, "minute")
    .replace(/\b1h\b/g, "hour");
}

function typeOf(name: string, schema: TSchema, enums: EnumTypes): GraphQLInputType {
  if (isList(name)) return new GraphQLList(new GraphQLNonNull(metricName));
  if (schema["type"] === "number") return GraphQLInt;
  if (schema["format"] === "date-time") return dateTime;
  const [, values] = alternatives.exec((schema["pattern"] as string | undefined) ?? "") ?? [];
  return values === undefined ? GraphQLString : enums.of(values.split("|"), pascalCase(name));
}

function isList(name: string): boolean {
  return name === "metrics";
}
