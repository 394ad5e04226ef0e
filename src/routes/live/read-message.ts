import { Kind, type TObject, type TSchema } from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import { shown } from "../http/api-error.ts";
import { unknownMetric } from "../http/parameters/record-metrics.ts";
import { readMetricChoice } from "../../domain/metric-choice.ts";
import { metricNames } from "../../domain/metrics.ts";
import { readTime, timeForms } from "../http/parameters/relative-time.ts";
import type { FaultFilters } from "./fault-filters.ts";
import { type ClientMessage, clientMessages, type SubscriptionFilters } from "./messages.ts";

/** The longest message that is read, in UTF-16 units. A subscribe message that names 1,000 GPUs has about 43,000 units. */
const messageMaxLength = 256 * 1024;

type Subscribe = Extract<ClientMessage, { type: "subscribe" }>;

/** An error for the client: its message was refused, or the history that the message requested was not sent completely. */
export interface MessageError {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The id in the refused message, shortened, or the id of the subscription whose history was not sent completely. Absent if
   *  the refused message has no text as its id. */
  readonly id?: string;
}

/** A message of a client, or the error in it. */
export type ReadMessage = { readonly message: ClientMessage } | { readonly error: MessageError };

/** Parses and checks a message of a client. Never throws. */
export function readMessage(data: string | Uint8Array): ReadMessage {
  if (typeof data !== "string") {
    const message = "A binary message is not usable; expected a text message with one JSON object";
    return { error: { code: "binary_message", message, details: {} } };
  }
  if (data.length > messageMaxLength) {
    const message = `A message of ${data.length} characters is not usable; expected at most ${messageMaxLength}`;
    return {
      error: { code: "message_too_large", message, details: { length: data.length, expected: messageMaxLength } },
    };
  }
  const parsed = parse(data);
  if (parsed === undefined || typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    const [code, expected] = parsed === undefined ? ["invalid_json", "JSON"] : ["invalid_message", "a JSON object"];
    const message = `${JSON.stringify(shown(data))} is not ${expected}; expected a message such as {"type":"subscribe"}`;
    return { error: { code, message, details: { value: shown(data) } } };
  }
  const fields = parsed as Record<string, unknown>;
  const error = errorIn(fields);
  if (error === undefined) return { message: fields as ClientMessage };
  return { error: typeof fields["id"] === "string" ? { ...error, id: shown(fields["id"]) } : error };
}

/** @returns the first error of a message; undefined if the message is a ClientMessage */
function errorIn(fields: Record<string, unknown>): MessageError | undefined {
  const type = fields["type"];
  const types = Object.keys(clientMessages);
  if (typeof type !== "string" || !types.includes(type)) {
    const code = typeof type === "string" ? "unknown_type" : "invalid_field";
    return invalidField({ code, field: "type", value: type, expected: `one of ${types.join(", ")}` });
  }
  const schemaError = Value.Errors(clientMessages[type as keyof typeof clientMessages], fields).First();
  if (schemaError !== undefined) return errorOf(schemaError);
  const message = fields as ClientMessage;
  if (message.type === "subscribe_faults") return contradictionOfFilters(message.filters ?? {});
  return message.type === "subscribe" ? contradictionIn(message) : undefined;
}

/** @returns the first error that the schema cannot express: fields that contradict each other, or a text that is not an
 *  instant; undefined if there is none */
function contradictionIn({ filters = {}, since, snapshot }: Subscribe): MessageError | undefined {
  const choice = readMetricChoice(filters.metrics ?? []);
  if ("unknown" in choice) {
    const index = filters.metrics?.indexOf(choice.unknown) ?? 0;
    const isSeries = choice.unknown.includes("{");
    return invalidField({
      field: `filters.metrics[${index}]`,
      value: choice.unknown,
      ...(isSeries ? {} : { reason: unknownMetric(choice.unknown) }),
      expected: isSeries ? `a series such as ${seriesExample}` : expectedMetric,
    });
  }
  const contradiction = contradictionOfFilters(filters);
  if (contradiction !== undefined) return contradiction;
  if (since === undefined) return undefined;
  const read = readTime(since);
  if ("problem" in read) {
    return invalidField({ field: "since", value: since, reason: read.problem, expected: timeForms });
  }
  if (snapshot !== true) return undefined;
  return invalidField({ field: "snapshot", value: snapshot, expected: "false, because since is given" });
}

/** @returns the first error in filters that their schema cannot express */
function contradictionOfFilters(filters: SubscriptionFilters | FaultFilters): MessageError | undefined {
  if (filters.cluster !== undefined && filters.cluster_id !== undefined && filters.cluster !== filters.cluster_id) {
    return invalidField({
      field: "filters.cluster_id",
      value: filters.cluster_id,
      expected: `the same as filters.cluster (${JSON.stringify(shown(filters.cluster))}), or only one of the two`,
    });
  }
  const unstorable = Object.entries(filters).find(([, value]) => [value].flat().some((text) => text.includes("\0")));
  if (unstorable !== undefined) {
    // PostgreSQL cannot store NUL, and refuses to look for it
    const [name, value] = unstorable;
    const reason = "it contains the character NUL";
    return invalidField({ field: `filters.${name}`, value, reason, expected: "text without NUL" });
  }
  return undefined;
}

function errorOf({ type, path, schema, value }: ValueError): MessageError {
  const field = fieldOf(path);
  if (type !== ValueErrorType.ObjectAdditionalProperties) {
    return invalidField({ field, value, expected: expectedOf(schema) });
  }
  const names = Object.keys((schema as TObject).properties);
  const message = `There is no field ${JSON.stringify(shown(field))}; expected one of ${names.join(", ")}`;
  return { code: "unknown_field", message, details: { field: shown(field), known: names } };
}

/** The values of a union of literals; a text among its members is the form of a series. */
function expectedOfUnion(members: readonly TSchema[]): string {
  const values = members.flatMap((member) => (member["const"] === undefined ? [] : [String(member["const"])]));
  const other = values.length < members.length ? `, or a series such as ${seriesExample}` : "";
  return `one of ${values.join(", ")}${other}`;
}

const expectedMetric = `one of ${metricNames.join(", ")}, or a series such as xid_errors{xid="31"}`;
const seriesExample = 'xid_errors{xid="31"}';

function invalidField(at: {
  readonly code?: string;
  readonly field: string;
  readonly value: unknown;
  readonly reason?: string;
  readonly expected: string;
}): MessageError {
  const { code = "invalid_field", field, reason, expected } = at;
  const value = at.value === undefined ? undefined : shown(JSON.stringify(at.value));
  const statement = value === undefined ? `${field} is missing` : `${field}=${value} is not usable`;
  const because = reason === undefined ? "" : `: ${reason}`;
  return { code, message: `${statement}${because}; expected ${expected}`, details: { field, value, expected } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param path a JSON pointer such as `/filters/metrics/1`
 *  @returns the name of the field, such as `filters.metrics[1]` */
function fieldOf(path: string): string {
  const segments = path.slice(1).split("/");
  return segments
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((field, name) => (/^\d+$/.test(name) ? `${field}[${name}]` : `${field}.${name}`));
}

function expectedOf(schema: TSchema): string {
  switch (schema[Kind]) {
    case "Union":
      return expectedOfUnion(schema["anyOf"] as TSchema[]);
    case "Literal":
      return JSON.stringify(schema["const"]);
    case "Boolean":
      return "true or false";
    case "Array":
      return `a list of ${String(schema["minItems"])} to ${String(schema["maxItems"])} elements`;
    case "String":
      return `a text of ${String(schema["minLength"])} to ${String(schema["maxLength"])} characters`;
    case "Number":
      return `a whole number from ${String(schema["minimum"])} to ${String(schema["maximum"])}`;
    default:
      return "an object";
  }
}
