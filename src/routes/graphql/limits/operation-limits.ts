import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  parse,
  type ParseOptions,
  type Source,
} from "graphql";
import type { Plugin } from "graphql-yoga";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { graphqlError } from "../../graphql-kit/graphql-errors.ts";
import type { FleetIndex, FleetView } from "../../fleet/fleet-index.ts";
import { type OperationSize, sizeOfOperation } from "./operation-size.ts";

/** Tokens of a document: some ten times those of a large dashboard's. Validation takes time with their square. */
const tokensMax = 2000;

/** What an operation may have at most. GraphiQL's introspection has a depth of 15; a million values are answered in
 *  about a second, during which nobody else is. */
const most: OperationSize = { depth: 16, aliases: 30, values: 1_000_000 };

const remedy: Readonly<Record<keyof OperationSize, string>> = {
  depth: "select fewer fields inside fields",
  aliases: "ask in several requests",
  values: "set limit, filter, or select fewer fields",
};

/** An operation to be executed. */
interface Executed {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: unknown;
}

/** Refuses documents and operations that would take too long, before anything is executed. Sizes are known only with
 *  the variables: this is no rule of validation. */
export function operationLimits(view: FleetView): Plugin {
  const check = ({ args }: { args: Executed }): void => checkSize(args, view);
  return {
    onParse: ({ setParseFn }) => setParseFn(parseWithinLimit),
    onExecute: check,
    onSubscribe: check,
  };
}

function parseWithinLimit(source: string | Source, options?: ParseOptions): DocumentNode {
  try {
    return parse(source, { ...options, maxTokens: tokensMax });
  } catch (error) {
    if (!(error instanceof GraphQLError) || !error.message.includes(`${tokensMax} tokens`)) throw error;
    const message = `The document is too large: more than ${tokensMax} tokens; ask in several requests`;
    throw graphqlError("OPERATION_TOO_LARGE", message, { limit: "tokens", max: tokensMax });
  }
}

/** @throws GraphQLError where a limit is passed */
function checkSize({ schema, document, operationName, variableValues }: Executed, view: FleetView): void {
  const operation = getOperationAST(document, operationName);
  if (!operation) return; // whoever executes it says what is wrong
  const definitions = operation.variableDefinitions ?? [];
  const { coerced } = getVariableValues(schema, definitions, (variableValues ?? {}) as Record<string, unknown>);
  if (coerced === undefined) return;
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  );
  const size = sizeOfOperation({ schema, operation, fragments, variables: coerced, fleet: fleetOf(view) });
  for (const what of ["depth", "aliases", "values"] as const) {
    if (size[what] <= most[what]) continue;
    // fragments within fragments make numbers that nobody can read
    const value = Math.min(Math.ceil(size[what]), Number.MAX_SAFE_INTEGER);
    throw graphqlError(
      "OPERATION_TOO_LARGE",
      `The operation is too large: ${what} ${value}, at most ${most[what]}; ${remedy[what]}`,
      { limit: what, value, max: most[what] },
    );
  }
}

/** Undefined while it is not known: the fields then say so. */
function fleetOf(view: FleetView): FleetIndex | undefined {
  try {
    return view.now();
  } catch (error) {
    if (error instanceof StoreUnavailable) return undefined;
    throw error;
  }
}
