import { GraphQLError, NoSchemaIntrospectionCustomRule } from "graphql";
import type { Plugin } from "graphql-yoga";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";

const bodyTypes = ["application/json", "application/graphql"];

/** What a request must be beyond GraphQL's own rules, and the codes of the errors that graphql finds. */
export function requestRules({ introspection }: { readonly introspection: boolean }): Plugin {
  return {
    onRequest: (event) => {
      const { request } = event;
      // without its body the answer is the same
      if (request.method === "HEAD") event.setRequest(new Request(request.url, { headers: request.headers }));
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
        const errors = (result as readonly GraphQLError[]).map((error) => readable(error));
        setResult(
          errors.map((error) => coded(introspection ? error : unsuggesting(error), "GRAPHQL_VALIDATION_FAILED")),
        );
      };
    },
  };
}

/** graphql gives up comparing fields of the same name that are there a thousand times, and says no more than that. */
function readable(error: GraphQLError): GraphQLError {
  if (error.message !== "Validation aborted.") return error;
  return graphqlError("OPERATION_TOO_LARGE", "The document names the same fields too often; name each of them once");
}

/** The error with a code, where it has none. */
function coded(error: GraphQLError, code: "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED"): GraphQLError {
  const { message, nodes = null, source = null, positions = null, extensions } = error;
  return new GraphQLError(message, { nodes, source, positions, extensions: { code, ...extensions } });
}

/** Suggestions would give away piece by piece what introspection may not tell. */
function unsuggesting(error: GraphQLError): GraphQLError {
  const { nodes = null, source = null, positions = null, extensions } = error;
  return new GraphQLError(error.message.replace(/ Did you mean .*\?$/s, ""), { nodes, source, positions, extensions });
}

function unsupported(type: string): Response {
  const said = type === "" ? "no content-type" : `content-type ${type.trim()}`;
  const message = `A request with ${said} is not understood; expected ${bodyTypes.join(" or ")}`;
  return Response.json({ errors: [graphqlError("BAD_REQUEST", message)] }, { status: 415 });
}
