import type { GraphQLFieldConfig, GraphQLOutputType } from "graphql";
import { TelemetryError } from "../../domain/errors.ts";
import { defined } from "../../kit/defined.ts";
import type { ScopeRule } from "../http/access/access-rule.ts";
import { ApiError } from "../http/api-error.ts";
import { type Parameters, type ValuesOf, without } from "../http/parameters/parameter.ts";
import type { FleetIndex } from "../fleet/fleet-index.ts";
import type { GraphqlContext, OperationContext } from "./operation-context.ts";
import { EnumTypes } from "./types/enums.ts";
import { OutputTypes } from "./types/output-types.ts";
import { selects } from "./selects.ts";
import { argumentsOf, parametersOf } from "./types/arguments.ts";

/** Estimates the number of a field's elements before the field is resolved.
 *  @param args the field's arguments, named as in GraphQL, with defaults */
export type SizeOf = (args: Readonly<Record<string, unknown>>, fleet: FleetIndex) => number;

/** A field, with what it asks of its callers: a scope other than `read` if it changes something. */
type FieldDeclaration<Takes extends Parameters, Source> = ScopeRule & {
  readonly type: GraphQLOutputType;
  readonly description: string;
  /** The parameters, named as in REST; the resolver gets their values under the same names. */
  readonly takes: Takes;
  /** Parameters that are no arguments: each is true if the operation selects the field to which its path leads from this field. */
  readonly bySelection?: Readonly<Record<string, readonly string[]>>;
  readonly size?: SizeOf;
  /** True if the store is asked for the field. */
  readonly asksStore?: true;
  readonly resolve: (source: Source, values: ValuesOf<Takes>, context: OperationContext) => unknown;
};

type Field = GraphQLFieldConfig<unknown, GraphqlContext>;

/** Fields of a type, by name. */
export type FieldMap = Readonly<Record<string, Field>>;

/** The tools that make the fields of a schema. */
export interface SchemaKit {
  /** Object types of the API's schemas. */
  readonly types: OutputTypes;
  readonly enums: EnumTypes;
  /** Makes a field whose parameters are checked before `resolve` is called. */
  readonly field: <Takes extends Parameters, Source>(declaration: FieldDeclaration<Takes, Source>) => Field;
}

/** Makes the kit of a new schema.
 *  @param relationsOf returns the fields that lead from the named type to other types */
export function schemaKit(relationsOf: (typeName: string) => FieldMap): SchemaKit {
  const enums = new EnumTypes();
  return {
    types: new OutputTypes(enums, relationsOf),
    enums,
    field: ({ type, description, takes, bySelection = {}, size, asksStore, resolve, ...rule }) => {
      const given = without(takes, ...Object.keys(bySelection));
      return {
        type,
        description,
        args: argumentsOf(given, enums),
        extensions: { ...rule, ...defined({ size, asksStore }) },
        resolve: (...[source, args, { operation }, info]) => {
          const action = `${info.parentType.name}.${info.fieldName}`;
          const target = rule.scope === "read" ? "" : JSON.stringify(args);
          operation.require(rule, action, target);
          const selected = Object.entries(bySelection).map(([name, path]) => [name, selects(info, path)] as const);
          const values = {
            ...parametersOf(given, args as Readonly<Record<string, unknown>>),
            ...Object.fromEntries(selected),
          } as ValuesOf<typeof takes>;
          if (rule.scope === "read") return resolve(source as never, values, operation);
          return audited(
            () => resolve(source as never, values, operation),
            (result) => operation.requester.changed(action, target, result),
          );
        },
      };
    },
  };
}

/** Tells the result of a change: `ok`, or the code of its error. */
async function audited(change: () => unknown, tell: (result: string) => void): Promise<unknown> {
  try {
    const changed = await change();
    tell("ok");
    return changed;
  } catch (error) {
    tell(error instanceof ApiError || error instanceof TelemetryError ? error.code : "internal_error");
    throw error;
  }
}

/** The size of a field whose number of elements is bounded by its argument `limit`; Infinity if `limit` is absent. */
export function limitOf(args: Readonly<Record<string, unknown>>): number {
  return typeof args["limit"] === "number" ? args["limit"] : Infinity;
}
