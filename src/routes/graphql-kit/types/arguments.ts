import {
  type GraphQLArgumentConfig,
  GraphQLBoolean,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLInputType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLString,
} from "graphql";
import { readParameter } from "../../http/parameters/accepts.ts";
import type { Kind, Parameters, ValuesOf } from "../../http/parameters/parameter.ts";
import { spelled } from "../../http/parameters/spelling.ts";
import type { EnumTypes } from "./enums.ts";
import { camelCase, graphqlSpelling, pascalCase } from "./names.ts";
import { dateTime } from "./scalars.ts";

/** Makes GraphQL's arguments, with defaults, from REST's parameters. REST's comma-separated lists become GraphQL lists. */
export function argumentsOf(parameters: Parameters, enums: EnumTypes): GraphQLFieldConfigArgumentMap {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { kind, schema, description, absent }]): [string, GraphQLArgumentConfig] => {
      const type = typeOf(kind, pascalCase(name), enums);
      return [
        camelCase(name),
        {
          description: spelled(description, graphqlSpelling),
          type: absent === undefined ? new GraphQLNonNull(type) : type,
          defaultValue: schema["default"],
        },
      ];
    }),
  );
}

/** Reads arguments by the rules of REST's parameters, and returns their values under REST's names. An argument that is null
 *  counts as absent.
 *  @throws InvalidParameter if a value is not usable */
export function parametersOf<Of extends Parameters>(
  parameters: Of,
  args: Readonly<Record<string, unknown>>,
): ValuesOf<Of> {
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = args[camelCase(name)];
    // String() joins a list with commas, as in REST
    values[name] =
      value === undefined || value === null
        ? parameter.absent?.value
        : readParameter(name, parameter, String(value as Argument));
  }
  return values as ValuesOf<Of>;
}

type Argument = string | number | boolean | readonly string[];

function typeOf(kind: Kind, fallbackName: string, enums: EnumTypes): GraphQLInputType {
  switch (kind.name) {
    case "text":
      return GraphQLString;
    case "instant":
      return dateTime;
    case "integer":
      return GraphQLInt;
    case "flag":
      return GraphQLBoolean;
    case "choice":
      return enums.of(kind.values, fallbackName);
    case "texts":
      return new GraphQLList(new GraphQLNonNull(GraphQLString));
    case "list":
      return new GraphQLList(new GraphQLNonNull(enums.of(kind.values, fallbackName)));
  }
}
