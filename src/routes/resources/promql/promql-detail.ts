import { type TSchema, Type } from "@sinclair/typebox";
import { operation } from "../../http/operation.ts";
import { nameOf } from "../../schemas/named-schema.ts";
import { errorSchema } from "./promql-schemas.ts";
import type { SelectorRule } from "../../http/access/access-rule.ts";

/** The parameters of a route, by name. They are only documented here: as in Prometheus, the routes ignore others. */
type Documented = Readonly<
  Record<
    string,
    { readonly description: string; readonly isRequired?: true; readonly isList?: true; readonly example?: string }
  >
>;

const failures = {
  400: failure("The query or a parameter is wrong, or not supported", "bad_data"),
  413: failure("The form is too long", "bad_data"),
  415: failure("The body is no form", "bad_data"),
  422: failure("The data does not fit the query, or the query is too expensive", "execution"),
  503: failure("The query took too long, or the store does not answer", "timeout"),
};

function failure(description: string, errorType: string) {
  const example = { status: "error", errorType, error: 'parse error: unknown function with name "rat"' };
  const schema = { $ref: `#/components/schemas/${nameOf(errorSchema)}` };
  return { description, content: { "application/json": { schema, example } } };
}

interface RouteText {
  readonly id: string;
  readonly summary: string;
  readonly description: string;
  readonly selectors: SelectorRule;
  readonly plain: TSchema;
  readonly parameters: Documented;
}

function schemaOf(parameters: Documented, hasExamples = true): TSchema {
  const properties = Object.fromEntries(
    Object.entries(parameters).map(([name, { description, isList, example }]) => [
      name,
      {
        ...(isList === true ? { type: "array", items: { type: "string" } } : { type: "string" }),
        description,
        ...(example === undefined || !hasExamples ? {} : { examples: [isList === true ? [example] : example] }),
      },
    ]),
  );
  const required = Object.keys(parameters).filter((name) => parameters[name]?.isRequired === true);
  return Type.Unsafe(Type.Any({ type: "object", properties, required }));
}

function documented({ id, summary, description, selectors, plain }: RouteText) {
  const { responses, ...others } = operation({
    ...{ id, tag: "promql", summary, description, plain, errors: [500] },
    access: { scope: "read", selectors },
  });
  return { ...others, responses: { ...responses, ...(failures as Record<string, { description: string }>) } };
}

/** The options of a route that takes its parameters from its query. */
export function asked(text: RouteText) {
  return { query: schemaOf(text.parameters), detail: documented(text) };
}

/** The options of the route with the same path that takes its parameters from a form. */
export function posted(text: RouteText) {
  const content = { "application/x-www-form-urlencoded": { schema: schemaOf(text.parameters, false) } };
  const detail = documented({ ...text, id: `${text.id}ByForm` });
  // Elysia would read the body as a whole, however long it is
  return { parse: "none" as const, detail: { ...detail, requestBody: { required: true, content } } };
}
