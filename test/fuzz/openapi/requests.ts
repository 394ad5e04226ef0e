import fc from "fast-check";
import { type Expected, type ParameterValue, valuesOf } from "./parameter-values.ts";
import type { SchemaCheck } from "./schema-check.ts";
import type { Operation, Parameter } from "./served-document.ts";

/** A request to an operation, and the document's expectation of it. */
export interface FuzzRequest {
  readonly operation: Operation;
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly expected: Expected;
}

interface QueryPart {
  readonly text: string;
  readonly expected: Expected;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const unknownNames = ["limt", "LIMIT", "__proto__", "constructor", "toString", "limit[]", "", " ", "é", "start-time"];

/** Requests to every operation, in equal shares. */
export function requestsOf(operations: readonly Operation[], check: SchemaCheck): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(...operations.map((operation) => requestsTo(operation, check)));
}

/** If every parameter is drawn at random, one of them is usually invalid. A third of the requests therefore use only the document's
 *  examples, and so also reach the code behind the checks. */
function requestsTo(operation: Operation, check: SchemaCheck): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(
    { weight: 2, arbitrary: anyRequestsTo(operation, check) },
    { weight: 1, arbitrary: validRequestsTo(operation) },
  );
}

function validRequestsTo(operation: Operation): fc.Arbitrary<FuzzRequest> {
  const { method, parameters, body, isOtherBodyRequired, answers } = operation;
  const expected: Expected = isOtherBodyRequired ? "refused" : "accepted";
  const example = ({ name, example: value }: Parameter): string => `${name}=${encoded(String(value))}`;
  const optional = parameters.filter((each) => each.in === "query" && !each.required && each.example !== undefined);
  const needed = parameters.filter((each) => each.in === "query" && each.required).map(example);
  const types = Object.keys(answers.get(200) ?? {});
  return fc
    .record({ chosen: fc.subarray(optional), type: fc.constantFrom("*/*", ...types) })
    .map(({ chosen, type }) => {
      const query = [...needed, ...chosen.map(example)].join("&");
      const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
        encoded(String(parameters.find((each) => each.in === "path" && each.name === name)?.example)),
      );
      return {
        ...{ operation, method, target: query === "" ? path : `${path}?${query}`, expected },
        headers: { accept: type, ...(body === undefined ? {} : json) },
        body: body === undefined ? undefined : JSON.stringify(body.example),
      };
    });
}

function anyRequestsTo(operation: Operation, check: SchemaCheck): fc.Arbitrary<FuzzRequest> {
  const ofPath = operation.parameters.filter((parameter) => parameter.in === "path");
  const path = fc.record(Object.fromEntries(ofPath.map((each) => [each.name, pathValuesOf(each, check)])));
  const method = fc.oneof(
    { weight: 12, arbitrary: fc.constant(operation.method) },
    { weight: 1, arbitrary: fc.constantFrom(...methods) },
  );
  const parts = { path, query: queriesOf(operation, check), method, headers: headersOf(operation) };
  return fc.record({ ...parts, body: bodiesOf(operation, check) }).map((drawn) => {
    const values = Object.values(drawn.path);
    const target = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(drawn.path[name]?.text ?? ""));
    const query = drawn.query.map(({ text }) => text).join("&");
    const isSent = drawn.method !== "GET" && drawn.method !== "HEAD";
    return {
      operation,
      method: drawn.method,
      target: query === "" ? target : `${target}?${query}`,
      headers: isSent && drawn.body !== undefined ? { ...drawn.headers, ...drawn.body.headers } : drawn.headers,
      body: isSent ? drawn.body?.text : undefined,
      expected: operation.isOtherBodyRequired
        ? "refused"
        : worstOf([...values, ...drawn.query, ...(drawn.body === undefined ? [] : [drawn.body])]),
    };
  });
}

/** Values for a path, except `.`, `..` and the empty text, which would lead to another path. */
function pathValuesOf(parameter: Parameter, check: SchemaCheck): fc.Arbitrary<ParameterValue> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant({ text: String(parameter.example), expected: "accepted" as const }) },
    { weight: 1, arbitrary: valuesOf(parameter, check).filter(({ text }) => !["", ".", ".."].includes(text)) },
  );
}

function queriesOf({ parameters }: Operation, check: SchemaCheck): fc.Arbitrary<QueryPart[]> {
  const declared = parameters.filter((parameter) => parameter.in === "query");
  const declaredParts = declared.map((parameter) => queryPartsOf(parameter, check));
  const unknown = fc
    .tuple(fc.constantFrom(...unknownNames), fc.constantFrom("", "1", "x"))
    .map(([name, value]): QueryPart[] => [{ text: `${encoded(name)}=${value}`, expected: "refused" }]);
  const rarely = fc.oneof({ weight: 30, arbitrary: fc.constant<QueryPart[]>([]) }, { weight: 1, arbitrary: unknown });
  return fc.tuple(...declaredParts, rarely).map((parts) => parts.flat());
}

/** A parameter that is absent, sent once, sent twice (which is refused), or sent without encoding. */
function queryPartsOf(parameter: Parameter, check: SchemaCheck): fc.Arbitrary<QueryPart[]> {
  const { name, required } = parameter;
  const value = valuesOf(parameter, check);
  const once = value.map(({ text, expected }): QueryPart[] => [{ text: `${name}=${encoded(text)}`, expected }]);
  const twice = once.map(([part]): QueryPart[] =>
    part === undefined ? [] : [part, { text: part.text, expected: "refused" }],
  );
  const raw = value.map(({ text }): QueryPart[] => [
    { text: `${name}=${text.toWellFormed().replace(/[&#\s\0]/g, "")}`, expected: "either" },
  ]);
  const absent: QueryPart[] = required ? [{ text: "", expected: "refused" }] : [];
  return fc.oneof(
    { weight: required ? 2 : 20, arbitrary: fc.constant(absent) },
    { weight: 16, arbitrary: once },
    { weight: 1, arbitrary: twice },
    { weight: 1, arbitrary: raw },
  );
}

function headersOf({ answers }: Operation): fc.Arbitrary<Record<string, string>> {
  const types = [...answers.values()].flatMap((answer) => Object.keys(answer));
  const accept = fc.constantFrom("*/*", ...types, "text/html", "image/png", "application/json;q=0", ",", "json");
  const etag = fc.constantFrom("*", '"0"', 'W/"x"', "nothing", '"a", "b"');
  const encoding = fc.constantFrom("identity", "gzip", "br", "zstd, gzip;q=0.5", "*", "gzip;q=2", "");
  return fc
    .record({ accept, "if-none-match": etag, "accept-encoding": encoding }, { requiredKeys: [] })
    .map((headers) => headers as Record<string, string>);
}

interface Body {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expected: Expected;
}

const json = { "content-type": "application/json" };
const oddBodies: readonly Body[] = [
  ...["", "{", "[]", "null", '"x"', '{"__proto__":{}}', '{"a":'.repeat(2000), "\u0000"].map((text): Body => ({
    text,
    headers: json,
    expected: "either",
  })),
  { text: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" }, expected: "either" },
  { text: "x", headers: { "content-type": "nothing" }, expected: "either" },
];

function bodiesOf({ body }: Operation, check: SchemaCheck): fc.Arbitrary<Body | undefined> {
  const odd = fc.constantFrom(...oddBodies);
  if (body === undefined) return fc.option(odd, { nil: undefined });
  const judged = (value: unknown): Body => {
    const isValid = check.errorOf(body.schema, value) === undefined;
    const expected = Bun.deepEquals(value, body.example) ? "accepted" : "either";
    return { text: JSON.stringify(value), headers: json, expected: isValid ? expected : "refused" };
  };
  return fc.oneof(fc.constant(judged(body.example)), fc.jsonValue().map(judged), odd);
}

function worstOf(parts: readonly { readonly expected: Expected }[]): Expected {
  for (const each of ["refused", "either"] as const) if (parts.some(({ expected }) => expected === each)) return each;
  return "accepted";
}

/** Encodes a text for a URL. Half a surrogate pair cannot be encoded, so U+FFFD replaces it. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
