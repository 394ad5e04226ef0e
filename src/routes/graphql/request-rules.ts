import { GraphQLError, NoSchemaIntrospectionCustomRule } from "graphql";
import type { Plugin } from "graphql-yoga";
import { visibleLines } from "../../domain/visible-text.ts";
import { headAnswer } from "../http/head-answer.ts";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";

const answerType = "application/graphql-response+json; charset=utf-8";

const bodyTypes = ["application/json", "application/graphql"];

/** Checks requests beyond GraphQL's own rules, executes nothing for HEAD, and adds codes to the errors of parsing and validation. */
export function requestRules({ introspection }: { readonly introspection: boolean }): Plugin {
  return {
    onRequest: (event) => {
      const { request } = event;
      if (request.method === "HEAD") return event.endResponse(headAnswer(request, { "content-type": answerType }));
      const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
      if (request.method === "POST" && !bodyTypes.includes(type.trim().toLowerCase()))
        event.endResponse(unsupported(type));
    },
    onParse:
      () =>
      ({ result, replaceParseResult }) => {
        if (result instanceof GraphQLError) replaceParseResult(coded(result, "GRAPHQL_PARSE_FAILED"));
      },
    onValidate: ({ addValidationRule }) => {
      if (!introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
      return ({ result, setResult }) => {
        if (result.length === 0) return;
        const errors = (result as readonly GraphQLError[]).map(explained);
        setResult(
          errors.map((error) => coded(introspection ? error : withoutSuggestions(error), "GRAPHQL_VALIDATION_FAILED")),
        );
      };
    },
  };
}

/** Explains graphql's error for a document with so many repeated fields or fragments that graphql stops validating it. */
function explained(error: GraphQLError): GraphQLError {
  if (error.message !== "Validation aborted.") return error;
  return graphqlError(
    "OPERATION_TOO_LARGE",
    "The document repeats fields or fragments too often; use each of them only once",
  );
}

/** Adds a code to an error that has none. People see its message as it is. */
function coded(error: GraphQLError, code: "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED"): GraphQLError {
  const { message, nodes = null, source = null, positions = null, extensions } = error;
  return new GraphQLError(visibleLines(message), { nodes, source, positions, extensions: { code, ...extensions } });
}

/** Removes suggestions, and the values of enums, which would disclose the schema piece by piece even without introspection. */
export function withoutSuggestions(error: GraphQLError): GraphQLError {
  const { message, nodes = null, source = null, positions = null, path = null, extensions } = error;
  const shown = message.replace(/ (?:Did you mean|Its values are) .*$/s, "");
  return new GraphQLError(shown, { nodes, source, positions, path, extensions });
}

function unsupported(type: string): Response {
  const given = type === "" ? "no content-type" : `content-type ${type.trim()}`;
  const message = `A request with ${given} is not supported; expected ${bodyTypes.join(" or ")}`;
  return Response.json({ errors: [graphqlError("BAD_REQUEST", message)] }, { status: 415 });
}
