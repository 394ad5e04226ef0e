import type { Static, TObject } from "@sinclair/typebox";
import type { GraphQLFieldConfig, GraphQLOutputType } from "graphql";
import type { FleetIndex } from "../fleet/fleet-index.ts";
import type { GraphqlContext, OperationContext } from "./operation-context.ts";
import type { EnumTypes } from "./types/enums.ts";
import { argumentsOf, inGraphqlNames, parametersOf } from "./types/arguments.ts";

/** Says how many elements a field may have, before it is answered.
 *  @param args as GraphQL has them, defaults filled in */
export type SizeOf = (args: Readonly<Record<string, unknown>>, fleet: FleetIndex) => number;

interface FieldText<Parameters extends TObject, Source> {
  readonly type: GraphQLOutputType;
  readonly description: string;
  /** Parameters as REST declares them; the resolver gets them by their names there. */
  readonly takes: Parameters;
  readonly size?: SizeOf;
  readonly resolve: (source: Source, parameters: Static<Parameters>, context: OperationContext) => unknown;
}

/** A field of a schema. */
export type Field = GraphQLFieldConfig<unknown, GraphqlContext>;

/** Makes fields that take what REST takes. */
export class FieldMaker {
  constructor(private readonly enums: EnumTypes) {}

  /** A field whose parameters are checked before it is answered. */
  field<Parameters extends TObject, Source>(text: FieldText<Parameters, Source>): Field {
    const { type, description, takes, size, resolve } = text;
    return {
      type,
      description,
      args: argumentsOf(takes, this.enums),
      extensions: size === undefined ? {} : { size },
      resolve: (source, args, { operation }) => {
        const parameters = parametersOf(takes, args as Readonly<Record<string, unknown>>) as Static<Parameters>;
        return inGraphqlNames(takes, () => resolve(source as Source, parameters, operation));
      },
    };
  }
}

/** The size of a field that says by an argument how many elements it may have. */
export function limitOf(args: Readonly<Record<string, unknown>>): number {
  return typeof args["limit"] === "number" ? args["limit"] : Infinity;
}
