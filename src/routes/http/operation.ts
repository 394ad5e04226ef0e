import { type TSchema, Type } from "@sinclair/typebox";
import { listAnswer, pageAnswer, partAnswer, rowsAnswer, singleAnswer } from "../schemas/envelope.ts";
import { nameOf } from "../schemas/named-schema.ts";
import type { ErrorStatus } from "./error-responses.ts";

/** The groups of the documentation. */
export const tags = [
  { name: "gpus", description: "GPUs and their telemetry" },
  { name: "hierarchy", description: "Clusters, their hosts, and the hosts' GPUs" },
  { name: "telemetry", description: "Records of all GPUs" },
  { name: "input", description: "What may come in, and what was rejected" },
  { name: "pipeline", description: "How the pipeline does, and the messages that were given up" },
  { name: "operations", description: "For operators and monitoring" },
] as const;

interface OperationText {
  /** Becomes a function's name in generated clients. */
  readonly id: string;
  readonly tag: (typeof tags)[number]["name"];
  readonly summary: string;
  readonly description: string;
  readonly errors: readonly ErrorStatus[];
  /** Answers carry an ETag, and 304 is the answer to who has them already. */
  readonly etag?: true;
}

/** What a success carries: a list, a part of one, or one of a type in the envelope, a type as it is, or text; `rowsToo`
 *  where it can be given row by row, too. */
type Success =
  | { readonly list: TSchema; readonly rowsToo?: true }
  | { readonly part: TSchema; readonly rowsToo?: true }
  | { readonly page: TSchema; readonly rowsToo?: true }
  | { readonly rows: TSchema }
  | { readonly single: TSchema }
  | { readonly plain: TSchema; /** What 503 with the same type means. */ readonly plain503?: string }
  | { readonly text: string };

/** An answer by its media types. */
interface Documented {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: TSchema; readonly example?: unknown }>>;
}

/** The documentation of a route: goes into its `detail`. Answers are documented and not checked at run time: a page of
 *  10,000 records would pay for it; the tests check them. */
export function operation({
  id,
  tag,
  summary,
  description,
  errors: faults,
  etag,
  ...success
}: OperationText & Success) {
  const isByRow = "rowsToo" in success;
  // what every client of the API may meet, whatever it asks for; operators are always let in
  const all: ErrorStatus[] = [
    ...faults,
    ...(isByRow ? [406 as const] : []),
    ...(tag === "operations" ? [] : [429 as const]),
  ];
  const { 200: given, ...others } = successResponses(success);
  return {
    operationId: id,
    tags: [tag] as string[],
    summary,
    description,
    responses: {
      200: isByRow ? { ...given, content: { ...given.content, ...rowContents } } : given,
      ...others,
      ...(etag === undefined ? {} : { 304: notModified }),
      ...Object.fromEntries(all.map((status) => [status, { $ref: `#/components/responses/${status}` }])),
    } as Record<string, { description: string }>,
  };
}

const notModified = { description: "What If-None-Match names is still the answer; without a body" };

/** A list row by row; of history without limit and cursor, all of the window. */
const rowContents = {
  "text/csv": { schema: Type.String({ description: "A header, then a row each (RFC 4180)" }) },
  "application/x-ndjson": { schema: Type.String({ description: "An element of data in each line" }) },
};

function successResponses(success: Success): Record<number, Documented> & { 200: Documented } {
  if ("text" in success) {
    return {
      200: { description: "Success", content: { "text/plain": { schema: Type.String(), example: success.text } } },
    };
  }
  if ("plain" in success) {
    const { plain, plain503 } = success;
    const answer = (description: string) => json(description, refTo(plain), exampleOf(plain));
    return { 200: answer("Success"), ...(plain503 === undefined ? {} : { 503: answer(plain503) }) };
  }
  if ("list" in success) {
    const example = { success: true, count: 1, data: [exampleOf(success.list)] };
    return { 200: json("Success", listAnswer(refTo(success.list)), example) };
  }
  if ("part" in success) {
    const example = { success: true, count: 1, data: [exampleOf(success.part)] };
    return { 200: json("Success", partAnswer(refTo(success.part)), example) };
  }
  if ("page" in success) {
    const data = [exampleOf(success.page)];
    const example = { success: true, count: 1, resolution: "raw", next_cursor: "WzE3NTI4NzEzNTQwMDAsNDJd", data };
    return { 200: json("Success", pageAnswer(refTo(success.page)), example) };
  }
  if ("rows" in success) {
    const example = { success: true, count: 1, resolution: "1m", data: [exampleOf(success.rows)] };
    return { 200: json("Success", rowsAnswer(refTo(success.rows)), example) };
  }
  const example = { success: true, count: 1, data: exampleOf(success.single) };
  return { 200: json("Success", singleAnswer(refTo(success.single)), example) };
}

function json(description: string, schema: TSchema, example: unknown): Documented {
  return { description, content: { "application/json": { schema, example } } };
}

function refTo(schema: TSchema): TSchema {
  return Type.Unsafe({ $ref: `#/components/schemas/${nameOf(schema)}` });
}

function exampleOf(schema: TSchema): unknown {
  return (schema.examples as unknown[])[0];
}
