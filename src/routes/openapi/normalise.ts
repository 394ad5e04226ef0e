import { defined } from "../../kit/defined.ts";

/** A JSON object of the document. */
export type Json = { [name: string]: unknown };

/** Converts the paths of @elysiajs/openapi to OpenAPI 3.0, because their TypeBox schemas follow a later draft of JSON Schema.
 *  `const` and unions of constants become `enum`, `multipleOf: 1` becomes `integer`, the first of `examples` becomes
 *  `example`, and `patternProperties` becomes `additionalProperties`. `$id` is dropped. `additionalProperties: false` is
 *  dropped, so that an additional field breaks no client.
 *  @param paths the `paths` object of the document; not changed */
export function normalisePaths(paths: Json): Json {
  return mapValues(paths, (item) => mapValues(item as Json, (operation) => normaliseOperation(operation as Json)));
}

/** Converts one schema, as `normalisePaths` does. */
export function normaliseSchema(schema: Json): Json {
  const { const: constant, examples, multipleOf, patternProperties, ...rest } = schema;
  const out: Json = { ...rest };
  delete out["$id"];
  if (out["additionalProperties"] === false) delete out["additionalProperties"];
  if (Array.isArray(examples)) out["example"] = examples[0];
  if (constant !== undefined) Object.assign(out, { type: typeof constant, enum: [constant] });
  if (multipleOf === 1) out["type"] = "integer";
  else if (multipleOf !== undefined) out["multipleOf"] = multipleOf;
  if (patternProperties !== undefined) [out["additionalProperties"]] = Object.values(patternProperties as Json);
  const union = out["anyOf"] as Json[] | undefined;
  if (union?.every((member) => "const" in member)) {
    delete out["anyOf"];
    Object.assign(out, { type: typeof union[0]?.["const"], enum: union.map((member) => member["const"]) });
  }
  return normaliseNested(out);
}

function normaliseNested(schema: Json): Json {
  const out = { ...schema };
  if (isObject(out["properties"]))
    out["properties"] = mapValues(out["properties"], (of) => normaliseSchema(of as Json));
  for (const name of ["items", "additionalProperties"]) {
    if (isObject(out[name])) out[name] = normaliseSchema(out[name]);
  }
  if (Array.isArray(out["anyOf"])) out["anyOf"] = out["anyOf"].map((member) => normaliseSchema(member as Json));
  return out;
}

function normaliseOperation(operation: Json): Json {
  const parameters = operation["parameters"] as Json[] | undefined;
  const responses = mapValues(operation["responses"] as Json, (response) => normaliseContent(response as Json));
  return parameters === undefined
    ? { ...operation, responses }
    : { ...operation, parameters: parameters.map(normaliseParameter), responses };
}

/** Moves the description and the example from a parameter's schema to the parameter. Marks a parameter with a default as not
 *  required. */
function normaliseParameter(parameter: Json): Json {
  const { description, example, ...schema } = normaliseSchema(parameter["schema"] as Json);
  const required = parameter["required"] === true && schema["default"] === undefined;
  return { ...parameter, required, description, ...defined({ example }), schema };
}

function normaliseContent(response: Json): Json {
  if (!isObject(response["content"])) return response;
  const content = mapValues(response["content"], (media) => {
    const { schema, ...rest } = media as Json;
    return { schema: normaliseSchema(schema as Json), ...rest };
  });
  return { ...response, content };
}

function mapValues(object: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
