import { Type } from "@sinclair/typebox";
import { ApiError, InvalidParameter, shown } from "../api-error.ts";
import { checkBody } from "../request-body.ts";
import type { Parameter, Parameters, ValuesOf } from "./parameter.ts";
import { restSpelling, spelled } from "./spelling.ts";

/** Options of a route with these query parameters. They check the parameters and the body, and pass the values of the
 *  parameters to the handler as `query`. */
export function accepts<Query extends Parameters>(query: Query) {
  return {
    query: schemaOf(query),
    transform: (context: { request: Request; query: unknown }) => {
      context.query = readQuery(query, context.request.url);
      checkBody(context.request);
    },
  };
}

/** What ends connections. */
interface TimeoutServer {
  timeout(request: Request, seconds: number): void;
}

/** Like `accepts`, for a route that reads the body itself, and ends a silent sender with an answer.
 *  Bun closes the connection of a body that brings less than 16 KiB/s, without an answer, so it gets no limit here.
 *  Source: https://bun.com/docs/runtime/http/server, "server.timeout(Request, seconds)" */
export function acceptsBody<Query extends Parameters>(query: Query) {
  return {
    query: schemaOf(query),
    // Elysia would read the body as a whole
    parse: "none" as const,
    transform: (context: { request: Request; query: unknown; server: TimeoutServer | null }) => {
      context.query = readQuery(query, context.request.url);
      context.server?.timeout(context.request, 0);
    },
  };
}

/** Like `accepts`, for a route that also has parameters in its path. The options check these too, and pass their values to the
 *  handler as `params`. */
export function acceptsAt<Params extends Parameters, Query extends Parameters>(params: Params, query: Query) {
  return {
    params: schemaOf(params),
    query: schemaOf(query),
    transform: (context: { request: Request; params: unknown; query: unknown }) => {
      context.params = readPath(params, context.params as Readonly<Record<string, unknown>>);
      context.query = readQuery(query, context.request.url);
      checkBody(context.request);
    },
  };
}

/** Reads a parameter's text.
 *  @throws InvalidParameter if the text is not a value of the parameter */
export function readParameter<Value>(name: string, parameter: Parameter<Value>, text: string): Value {
  const read = parameter.read(text);
  if ("value" in read) return read.value;
  throw new InvalidParameter({ parameter: name, value: text, expected: parameter.expected, ...read });
}

/** Reads the parameters of a query.
 *  @throws ApiError if a parameter is unknown, is given more than once, is missing, or has a value that is not usable */
function readQuery<Query extends Parameters>(query: Query, url: string): ValuesOf<Query> {
  const queryAt = url.indexOf("?");
  const given = new URLSearchParams(queryAt === -1 ? "" : url.slice(queryAt));
  const values: Record<string, unknown> = {};
  for (const name of given.keys()) {
    const parameter = Object.hasOwn(query, name) ? query[name] : undefined;
    if (parameter === undefined) throw unknownParameter(name, Object.keys(query));
    const texts = given.getAll(name);
    if (texts.length > 1)
      throw unusable(name, parameter, { value: texts.join(","), problem: "it is given more than once" });
    values[name] = readParameter(name, parameter, texts[0] ?? "");
  }
  for (const name in query) {
    const parameter = query[name] as Parameter<unknown>;
    if (name in values) continue;
    if (parameter.absent === undefined) throw unusable(name, parameter, { value: "", problem: "it is missing" });
    values[name] = parameter.absent.value;
  }
  return values as ValuesOf<Query>;
}

function readPath<Params extends Parameters>(
  params: Params,
  given: Readonly<Record<string, unknown>>,
): ValuesOf<Params> {
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(params)) {
    const text = given[name];
    // Elysia passes null if the percent-encoding is broken
    if (typeof text !== "string")
      throw unusable(name, parameter, { value: "", problem: "its percent-encoding is broken" });
    values[name] = readParameter(name, parameter, text);
  }
  return values as ValuesOf<Params>;
}

function unusable(
  name: string,
  { expected }: Parameter<unknown>,
  { value, problem }: { readonly value: string; readonly problem: string },
): ApiError {
  return new InvalidParameter({ parameter: name, value, problem, expected });
}

function unknownParameter(name: string, names: readonly string[]): ApiError {
  const expected = names.length === 0 ? "no parameters" : names.join(", ");
  return new ApiError(400, "unknown_parameter", {
    message: `There is no parameter ${JSON.stringify(shown(name))} here; expected ${expected}`,
    details: { parameter: shown(name), known: names },
  });
}

/** The schema of the parameters, for OpenAPI. Elysia itself accepts any value, because `transform` has already checked the
 *  texts and replaced them with values. */
function schemaOf<Of extends Parameters>(parameters: Of) {
  const properties = Object.fromEntries(
    Object.entries(parameters).map(([name, { schema, description }]) => [
      name,
      { ...schema, description: spelled(description, restSpelling) },
    ]),
  );
  const required = Object.keys(parameters).filter((name) => parameters[name]?.absent === undefined);
  return Type.Unsafe<ValuesOf<Of>>(Type.Any({ type: "object", properties, required }));
}
