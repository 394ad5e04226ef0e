import { type DocumentNode, getOperationAST, OperationTypeNode } from "graphql";
import type { Plugin } from "graphql-yoga";
import { shown } from "../http/api-error.ts";
import type { OriginRule } from "../http/door/origin-rule.ts";
import type { GraphqlContext } from "../graphql-kit/operation-context.ts";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";

/** The arguments of an execution, whose types Yoga does not know. */
interface MutationArguments {
  readonly document: DocumentNode;
  readonly operationName?: string | null;
  readonly contextValue: unknown;
}

/** Refuses the mutations of pages that may only read. The door lets them in, because only the document says whether an operation
 *  changes something. For a socket, the request in the context is the one that opened it. */
export function readerMutations(origins: OriginRule): Plugin {
  return {
    onExecute: ({ args, setResultAndStopExecution }) => {
      const { document, operationName, contextValue } = args as MutationArguments;
      const { request, operation } = contextValue as GraphqlContext & { readonly request: Request };
      if (origins.senderOf(request.headers) !== "reader") return;
      if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.MUTATION) return;
      operation.dependsOnSender();
      const given = request.headers.get("origin") ?? "";
      operation.requester.refused("a mutation of GraphQL", given, "cross_origin");
      const origin = shown(given);
      const message = `A page of ${origin} may only read here; if it may change something, add its origin to CORS_ORIGINS`;
      setResultAndStopExecution({ errors: [graphqlError("FORBIDDEN", message, { origin, setting: "CORS_ORIGINS" })] });
    },
  };
}
