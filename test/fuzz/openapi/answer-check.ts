import { parse } from "csv-parse/sync";
import type { FuzzRequest } from "./requests.ts";
import type { SchemaCheck } from "./schema-check.ts";
import type { DeclaredAnswer, Schema, ServedDocument } from "./served-document.ts";

/** Checks a response against the document. @returns the error in the response; undefined for a correct response */
export type AnswerCheck = (request: FuzzRequest, answer: Response) => Promise<string | undefined>;

const headMaxBytes = 16_384;

/** Creates a check from a document. */
export function answerCheckOf({ operations, schemas }: ServedDocument, check: SchemaCheck): AnswerCheck {
  const errorSchema = schemas["Error"] ?? {};
  return async (request, answer) => {
    const { method, expected } = request;
    const text = await answer.text();
    const declared = operations.find((each) => each.path === request.operation.path && each.method === method);
    // the server itself takes no longer head
    if (answer.status === 431 && request.target.length > headMaxBytes - 1000) return undefined;
    if (isUnknownFigure(request, answer)) return declared && againstDeclared(declared.answers, answer, text);
    if (answer.status >= 500) return `${answer.status}: ${text}`;
    if (declared !== undefined) {
      // another method of the path takes other parameters
      const isOther = declared.id !== request.operation.id;
      const error =
        isOther || ofPromql(request) || mayBeRefused(request, answer) ? undefined : againstExpected(expected, answer);
      return error ?? againstDeclared(declared.answers, answer, text);
    }
    if (method === "OPTIONS") return allowHeaderError(answer, 204);
    const isReadable = operations.some((each) => each.path === request.operation.path && each.method === "GET");
    if (method === "HEAD" && !isReadable) return allowHeaderError(answer, 405);
    if (method === "HEAD" && text !== "") return `HEAD was answered with ${text}`;
    if (method === "HEAD") return ofPromql(request) ? undefined : againstExpected(expected, answer);
    return allowHeaderError(answer, 405) ?? check.errorOf(errorSchema, parsed(text));
  };

  function againstDeclared(answers: ReadonlyMap<number, DeclaredAnswer>, answer: Response, text: string) {
    const declared = answers.get(answer.status);
    if (declared === undefined) return `status ${answer.status} is not declared: ${text}`;
    if (Object.keys(declared).length === 0) return text === "" ? undefined : `no body is declared: ${text}`;
    const type = (answer.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
    const schema = declared[type];
    if (schema === undefined) return `content type "${type}" is not declared for ${answer.status}: ${text}`;
    if (type === "application/json") return check.errorOf(schema, parsed(text));
    if (type === "text/csv") return csvError(text, elementOf(declared));
    if (type === "application/x-ndjson") {
      const errors = text
        .split("\n")
        .slice(0, -1)
        .map((line) => check.errorOf(elementOf(declared), parsed(line)));
      return text === "" || text.endsWith("\n")
        ? errors.find((each) => each !== undefined)
        : "the last line has no line end";
    }
    return undefined;
  }

  /** The schema of the element in each row or line. */
  function elementOf(declared: DeclaredAnswer): Schema {
    const { data } = (declared["application/json"]?.["properties"] ?? {}) as {
      readonly data?: { readonly items: Schema };
    };
    const items = data?.items ?? {};
    return schemas[String(items["$ref"]).replace("#/components/schemas/", "")] ?? items;
  }
}

/** @returns undefined if every row has a cell for each column and every column is a field of the element */
function csvError(text: string, element: Schema): string | undefined {
  try {
    const [header = []]: string[][] = parse(text);
    const fields = Object.keys(element["properties"] as object);
    const unknown = header.filter((name) => !fields.includes(name));
    return unknown.length === 0 ? undefined : `columns that the element does not have: ${unknown.join(", ")}`;
  } catch (error) {
    return `not CSV: ${String(error)}`;
  }
}

/** A figure of the coordinator is an error by design if no coordinator leads: an autoscaler must not read 0. */
function isUnknownFigure({ operation }: FuzzRequest, { status }: Response): boolean {
  return status === 503 && operation.path === "/api/v1/scaling/{figure}";
}

/** Rules that the document cannot say: a change of the inventory names a host or a device, a declaration the GPUs of one or the UUID
 *  of the other, the expiry of a key and the end of a silence lie in the future, a silence has a matcher, and a remediation a place. A
 *  rejected row may still be one that cannot be used. */
function mayBeRefused({ operation, method }: FuzzRequest, { status }: Response): boolean {
  return (
    status === 400 &&
    method !== "GET" &&
    /^\/api\/v1\/(inventory|keys|silences|remediations|quarantine)/.test(operation.path)
  );
}

/** Whether a text is a query, only its grammar can say; and as in Prometheus, unknown parameters are ignored. */
function ofPromql({ operation }: FuzzRequest): boolean {
  return /^\/api\/v1\/(query|series|labels?|metadata|status)(?=[/_]|$)/.test(operation.path);
}

function againstExpected(expected: FuzzRequest["expected"], { status }: Response): string | undefined {
  if (expected === "refused" && status < 400) return `the document refuses this request, the gateway answers ${status}`;
  // 404: the example of a path may name something that does not exist; 406: the generated Accept may allow no declared type
  const isAccepted = status < 400 || status === 404 || status === 406;
  return expected === "accepted" && !isAccepted
    ? `the document accepts this request, the gateway answers ${status}`
    : undefined;
}

function allowHeaderError({ status, headers }: Response, wanted: number): string | undefined {
  if (status === 404) return undefined; // an odd value led to another path
  if (status !== wanted) return `${status} instead of ${wanted}`;
  return headers.get("allow") === null ? `${status} without Allow` : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
