import {
  type DocumentNode,
  type ExecutionResult,
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
import type { Logger } from "pino";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { graphqlError, toGraphqlError } from "../../graphql-kit/graphql-errors.ts";
import type { FleetIndex } from "../../fleet/fleet-index.ts";
import type { GraphqlContext } from "../../graphql-kit/operation-context.ts";
import { noSize, type OperationSize, sizeOfOperation } from "./operation-size.ts";

/** The maximum number of tokens of a document. A large dashboard needs about 200. The time for validation grows with the
 *  square of the number of tokens. */
const maxTokens = 2000;

type Limit = keyof Omit<OperationSize, "questions">;

/** The largest operation that is executed. GraphiQL's introspection has a depth of 15. A million values take about a
 *  second, during which the process answers no other request. */
const maxSize: Readonly<Record<Limit, number>> = { depth: 16, aliases: 30, values: 1_000_000 };

const remedy: Readonly<Record<Limit, string>> = {
  depth: "select fewer fields inside fields",
  aliases: "split it into several requests",
  values: "set limit, select fewer GPUs, or select fewer fields",
};

/** An operation that Yoga is about to execute. */
interface PendingOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: unknown;
  readonly contextValue?: unknown;
}

/** Refuses documents and operations that are too large, and operations whose questions the store would not be asked. Operations are checked just before their execution, not during
 *  validation, because an operation's size depends on its variables. */
export function operationLimits(log: Logger): Plugin {
  // an error that is thrown here would end the whole socket of an operation
  const orStop = (check: () => void, stop: (result: ExecutionResult) => void): void => {
    try {
      check();
    } catch (error) {
      stop({ errors: [toGraphqlError(error, log)] });
    }
  };
  return {
    onParse: ({ setParseFn }) => setParseFn(parseWithinLimit),
    onExecute: ({ args, setResultAndStopExecution }) =>
      orStop(() => {
        const pending: PendingOperation = args;
        const { questions } = checkedSize(pending);
        if (questions > 0) (pending.contextValue as GraphqlContext).operation.requireAnswers(questions);
      }, setResultAndStopExecution),
    onSubscribe: ({ args, setResultAndStopExecution }) => orStop(() => checkedSize(args), setResultAndStopExecution),
  };
}

function parseWithinLimit(source: string | Source, options?: ParseOptions): DocumentNode {
  try {
    return parse(source, { ...options, maxTokens });
  } catch (error) {
    if (!(error instanceof GraphQLError) || !error.message.includes(`${maxTokens} tokens`)) throw error;
    const message = `The document is too large: it has more than ${maxTokens} tokens; split it into several requests`;
    throw graphqlError("OPERATION_TOO_LARGE", message, { limit: "tokens", max: maxTokens });
  }
}

/** @throws GraphQLError if the operation is larger than `maxSize` */
function checkedSize(pending: PendingOperation): OperationSize {
  const { schema, document, operationName, variableValues, contextValue } = pending;
  const operation = getOperationAST(document, operationName);
  if (!operation) return noSize; // the execution reports that the operation is missing
  const definitions = operation.variableDefinitions ?? [];
  const { coerced } = getVariableValues(schema, definitions, (variableValues ?? {}) as Record<string, unknown>);
  if (coerced === undefined) return noSize; // the execution reports that a variable is wrong
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  );
  const size = sizeOfOperation({
    schema,
    operation,
    fragments,
    variables: coerced,
    fleet: fleetOf(contextValue as GraphqlContext),
  });
  for (const limit of ["depth", "aliases", "values"] as const) {
    const max = maxSize[limit];
    if (size[limit] <= max) continue;
    // nested lists can multiply to more than a safe integer
    const value = Math.min(Math.ceil(size[limit]), Number.MAX_SAFE_INTEGER);
    throw graphqlError(
      "OPERATION_TOO_LARGE",
      `The operation is too large: ${limit} ${value}, at most ${max}; ${remedy[limit]}`,
      { limit, value, max },
    );
  }
  return size;
}

/** @returns undefined while the fleet is not loaded */
function fleetOf({ operation }: GraphqlContext): FleetIndex | undefined {
  try {
    return operation.fleet;
  } catch (error) {
    if (error instanceof StoreUnavailable) return undefined;
    throw error;
  }
}
