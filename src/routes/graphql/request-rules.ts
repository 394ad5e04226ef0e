import { GraphQLError, NoSchemaIntrospectionCustomRule } from "graphql";
import type { Plugin } from "graphql-yoga";
import { visibleLines } from "../../domain/visible-text.ts";
import { shown } from "../http/api-error.ts";
import { headAnswer } from "../http/head-answer.ts";
import { codingProblem } from "../http/request-body.ts";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";

const answerType = "application/graphql-response+json; charset=utf-8";

const resultTypes = ["application/graphql-response+json", "application/json"];
const bodyTypes = ["application/json", "application/graphql"];

/** The media type of a body in lower case, without parameters.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1 ("The type and subtype tokens are case-insensitive") */
export function bodyType(headers: Headers): string {
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  return type.trim().toLowerCase();
}

/** Checks requests beyond GraphQL's own rules, executes nothing for HEAD, and adds codes to the errors of parsing and validation. */
export function requestRules({ introspection }: { readonly introspection: boolean }): Plugin {
  return {
    onRequest: (event) => {
      const { request } = event;
      if (request.method === "HEAD") return event.endResponse(headAnswer(request, { "content-type": answerType }));
      if (request.method !== "POST") return;
      const type = bodyType(request.headers);
      const problem = bodyTypes.includes(type) ? codingProblem(request.headers) : unsupported(type);
      if (problem !== undefined) event.endResponse(refusal(415, problem));
    },
    onParams: ({ params, setParams }) => {
      // clients that have only one operation send an empty name
      const { operationName, ...others } = params;
      if (operationName === "") setParams(others);
    },
    onResponse: (event) => {
      const { response } = event;
      if (response.status === 406 && response.body === null) event.setResponse(notAcceptable(response));
      // Yoga's own, and no coding: a client that looks for it finds none
      if (response.headers.get("content-encoding") === "none") response.headers.delete("content-encoding");
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

function unsupported(type: string): string {
  const given = type === "" ? "no content-type" : `content-type ${shown(type)}`;
  return `A request with ${given} is not supported; expected ${bodyTypes.join(" or ")}`;
}

/** The answer to a client that accepts none of the formats of a result.
 *  @param empty Yoga's answer, which names the formats in a header */
function notAcceptable({ headers }: Response): Response {
  const named = (headers.get("accept") ?? "").split(", ").map((each) => each.split(";")[0] ?? "");
  // Yoga names none if it knows the type, but not its parameters
  const available = new Set(named.every((each) => each === "") ? resultTypes : named);
  return refusal(406, `The Accept header allows no format of this result; available: ${[...available].join(", ")}`);
}

function refusal(status: 406 | 415, message: string): Response {
  return Response.json({ errors: [graphqlError("BAD_REQUEST", message)] }, { status });
}
