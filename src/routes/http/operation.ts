import { defined } from "../../kit/defined.ts";
import { type TProperties, type TSchema, Type, TypeGuard } from "@sinclair/typebox";
import {
  listAnswer,
  listAsOfAnswer,
  pageAnswer,
  partAnswer,
  partAsOfAnswer,
  rowsAnswer,
  singleAnswer,
} from "../schemas/envelope.ts";
import { exampleOf, nameOf } from "../schemas/named-schema.ts";
import { type AccessRule, ruleMember } from "./access/access-rule.ts";
import type { ErrorStatus } from "./error-responses.ts";

/** The groups of operations in the OpenAPI document. */
export const tags = [
  { name: "gpus", description: "GPUs and their telemetry" },
  { name: "hierarchy", description: "Clusters, their hosts, and the hosts' GPUs" },
  { name: "telemetry", description: "Records of all GPUs" },
  { name: "promql", description: "Queries in PromQL, in the form of Prometheus' HTTP API, for Grafana" },
  {
    name: "inventory",
    description: "Expected hosts and devices: declared, under maintenance, decommissioned",
  },
  { name: "faults", description: "What is wrong with devices, hosts, jobs and clusters, and the rules that detect it" },
  { name: "input", description: "Metrics that records may have, and inputs that were rejected" },
  { name: "pipeline", description: "State of the pipeline, and its dead letters" },
  { name: "access", description: "Keys, people who are signed in, tickets for WebSockets, and the audit log" },
  { name: "operations", description: "For operators and monitoring" },
] as const;

interface OperationText {
  /** The name of the function in generated clients. */
  readonly id: string;
  readonly tag: (typeof tags)[number]["name"];
  readonly summary: string;
  readonly description: string;
  /** What the operation asks of its callers. */
  readonly access: AccessRule;
  readonly errors: readonly ErrorStatus[];
  /** Responses carry an ETag; a client that has the current response gets 304. */
  readonly etag?: true;
  /** The description of a 202 with the same schema as a 200: what was asked for is not carried out yet. */
  readonly accepted?: string;
  /** The only status of success, if it is not 200. */
  readonly status?: 202;
  /** The body that the operation reads; absent: none. */
  readonly body?: {
    readonly required: true;
    readonly content: Readonly<Record<string, { readonly schema: TSchema; readonly example?: unknown }>>;
  };
}

/** The body of a successful response, with the schema of its elements or of its object. In the envelope: a `list`, a list with
 *  the instant at which it was read (`listAsOf`), a `part` of a list, a part with that instant (`partAsOf`), a `page` of history, `rows` of aggregates, or a `single` object. Without the envelope: a `plain` object in
 *  JSON, or plain text, with `text` as the example; `empty`: none, and what 204 says. The elements of lists are also available as CSV, NDJSON and Parquet. */
type Success =
  | { readonly list: TSchema }
  | { readonly listAsOf: TSchema }
  | { readonly partAsOf: TSchema }
  | {
      readonly part: TSchema;
      /** Members besides those of the envelope. */
      readonly also?: TProperties;
    }
  | { readonly page: TSchema }
  | { readonly rows: TSchema }
  | { readonly single: TSchema }
  | { readonly plain: TSchema; /** The description of a 503 with the same schema. */ readonly plain503?: string }
  | { readonly text: string; /** Further media types of the text. */ readonly alsoAs?: readonly string[] }
  | { readonly empty: string };

/** A response, with its content by media type. */
interface Documented {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema; readonly example?: unknown }>>;
}

/** Makes the documentation of a route, for its `detail`. Responses are not checked at run time, because checking a page of
 *  10,000 records is slow; tests check them. */
export function operation({
  id,
  tag,
  summary,
  description,
  access,
  errors,
  etag,
  accepted,
  status,
  body,
  ...success
}: OperationText & Success) {
  const isByRow = !("single" in success || "plain" in success || "text" in success || "empty" in success);
  // probes are never limited
  const all: ErrorStatus[] = [
    ...errors,
    ...(access.scope === "open" ? [] : ([401, 403, 421] as const)),
    ...(isByRow ? [406 as const] : []),
    ...(tag === "operations" && access.scope === "open" ? [] : [429 as const]),
  ];
  const { 200: success200, ...others } = successResponses(success);
  return {
    operationId: id,
    tags: [tag] as string[],
    summary,
    description,
    [ruleMember]: access,
    security: access.scope === "open" ? [] : securityNeeded,
    ...defined({ requestBody: body }),
    responses: {
      [status ?? ("empty" in success ? 204 : 200)]: isByRow
        ? { ...success200, content: { ...success200.content, ...rowContents } }
        : success200,
      ...(accepted === undefined ? {} : { 202: { ...success200, description: accepted } }),
      ...others,
      ...defined({ 304: etag && notModified }),
      ...Object.fromEntries(all.map((status) => [status, { $ref: `#/components/responses/${status}` }])),
    } as Record<string, { description: string }>,
  };
}

/** Either of the two carries a key. */
const securityNeeded: Record<string, string[]>[] = [{ bearer: [] }, { basic: [] }];

const notModified = { description: "The response that If-None-Match names is still current; no body" };

/** The media types of a list that is written row by row. */
const rowContents = {
  "text/csv": { schema: Type.String({ description: "A header line, then a line for each element (RFC 4180)" }) },
  "application/vnd.apache.parquet": {
    schema: Type.String({ description: "A row for each element of data; times are instants, metrics are doubles" }),
  },
  "application/x-ndjson": { schema: Type.String({ description: "A line for each element of data" }) },
};

function successResponses(success: Success): Record<number, Documented> & { 200: Documented } {
  if ("empty" in success) return { 200: { description: success.empty } };
  if ("text" in success) {
    const types = ["text/plain", ...(success.alsoAs ?? [])];
    const content = types.map((type) => [type, { schema: Type.String(), example: success.text }] as const);
    return { 200: { description: "Success", content: Object.fromEntries(content) } };
  }
  if ("plain" in success) {
    const { plain, plain503 } = success;
    const answer = (description: string) => json(description, refTo(plain), exampleOf(plain));
    return { 200: answer("Success"), ...defined({ 503: plain503 === undefined ? undefined : answer(plain503) }) };
  }
  if ("list" in success) {
    const example = { success: true, count: 1, data: [exampleOf(success.list)] };
    return { 200: json("Success", listAnswer(refTo(success.list)), example) };
  }
  if ("listAsOf" in success) {
    return { 200: json("Success", listAsOfAnswer(refTo(success.listAsOf)), exampleAsOf(success.listAsOf)) };
  }
  if ("partAsOf" in success) {
    return { 200: json("Success", partAsOfAnswer(refTo(success.partAsOf)), exampleAsOf(success.partAsOf)) };
  }
  if ("part" in success) {
    const example = { success: true, count: 1, ...examplesOf(success.also), data: [exampleOf(success.part)] };
    return { 200: json("Success", partAnswer(refTo(success.part), success.also), example) };
  }
  if ("page" in success) {
    const data = [exampleOf(success.page)];
    const example = { success: true, count: 1, resolution: "raw", next_cursor: "MTc1Mjg3MTM1NDAwMDo0Mg", data };
    return { 200: json("Success", pageAnswer(refTo(success.page)), example) };
  }
  if ("rows" in success) {
    const window = { start_time: "2025-07-18T20:00:00Z", end_time: "2025-07-18T21:00:00Z" };
    const example = { success: true, count: 1, resolution: "1m", ...window, data: [exampleOf(success.rows)] };
    return { 200: json("Success", rowsAnswer(refTo(success.rows)), example) };
  }
  const example = { success: true, count: 1, data: exampleOf(success.single) };
  return { 200: json("Success", singleAnswer(refTo(success.single)), example) };
}

/** An example of each member that every answer has. */
function examplesOf(also: TProperties = {}): Record<string, unknown> {
  const members = Object.entries(also).filter(([, schema]) => !TypeGuard.IsOptional(schema));
  return Object.fromEntries(members.map(([name, schema]) => [name, exampleOf(schema)]));
}

function exampleAsOf(item: TSchema): unknown {
  return { success: true, count: 1, as_of: "2025-07-18T20:50:02Z", data: [exampleOf(item)] };
}

function json(description: string, schema: TSchema, example: unknown): Documented {
  return { description, content: { "application/json": { schema, example } } };
}

function refTo(schema: TSchema): TSchema {
  return Type.Unsafe({ $ref: `#/components/schemas/${nameOf(schema)}` });
}
