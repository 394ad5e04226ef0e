import { Kind, type TObject, type TSchema } from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import { shown } from "../http/api-error.ts";
import { readInstant } from "../http/instant.ts";
import { type ClientMessage, clientMessages } from "./messages.ts";

/** Longest message that is read, in UTF-16 units: to name as many GPUs as one may takes 44,000. */
const messageMaxLength = 256 * 1024;

/** Why a message, or what it asks for, is not usable: what the client is told. */
export interface MessageError {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The message's own id, where it has one. */
  readonly id?: string;
}

/** What a client has sent: a message, or why it is none. */
export type ReadMessage = { readonly message: ClientMessage } | { readonly fault: MessageError };

/** Reads what came over a socket. Never throws. */
export function readMessage(sent: string | Uint8Array): ReadMessage {
  if (typeof sent !== "string") {
    return fault("binary_message", "A binary message is not usable; expected text: one JSON object a message", {});
  }
  if (sent.length > messageMaxLength) {
    const message = `A message of ${sent.length} characters is not usable; expected at most ${messageMaxLength}`;
    return fault("message_too_large", message, { length: sent.length, expected: messageMaxLength });
  }
  const parsed = parse(sent);
  if (parsed === undefined || typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    const code = parsed === undefined ? "invalid_json" : "invalid_message";
    const what = parsed === undefined ? "no JSON" : "no JSON object";
    return fault(code, `${JSON.stringify(shown(sent))} is ${what}; expected such as {"type":"subscribe"}`, {
      value: shown(sent),
    });
  }
  return checked(parsed as Record<string, unknown>);
}

function checked(given: Record<string, unknown>): ReadMessage {
  const id = typeof given["id"] === "string" ? { id: shown(given["id"]) } : {};
  const type = given["type"];
  const known = Object.keys(clientMessages);
  if (typeof type !== "string" || !known.includes(type)) {
    const code = typeof type === "string" ? "unknown_type" : "invalid_field";
    return withId(invalidField({ code, field: "type", value: type, expected: `one of ${known.join(", ")}` }), id);
  }
  const schema = clientMessages[type as keyof typeof clientMessages];
  const error = Value.Errors(schema, given).First();
  if (error !== undefined) return withId(faultOf(error), id);
  const message = given as ClientMessage;
  const contradiction = message.type === "subscribe" ? contradictionOf(message) : undefined;
  return contradiction === undefined ? { message } : withId(contradiction, id);
}

/** What is right field by field and wrong together, or not to be said by a schema. */
function contradictionOf({ filters = {}, since, snapshot }: Extract<ClientMessage, { type: "subscribe" }>) {
  if (filters.cluster !== undefined && filters.cluster_id !== undefined && filters.cluster !== filters.cluster_id) {
    return invalidField({
      field: "filters.cluster_id",
      value: filters.cluster_id,
      expected: `what filters.cluster says (${JSON.stringify(shown(filters.cluster))}), or one of the two alone`,
    });
  }
  if (since === undefined) return undefined;
  const read = readInstant(since);
  if ("problem" in read) {
    const expected = "RFC 3339 with zone, such as 2025-07-18T20:42:34Z";
    return invalidField({ field: "since", value: since, problem: read.problem, expected });
  }
  if (snapshot !== true) return undefined;
  return invalidField({ field: "snapshot", value: snapshot, expected: "false or nothing beside since" });
}

function faultOf({ type, path, schema, value }: ValueError): ReadMessage {
  const field = fieldOf(path);
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    const known = Object.keys((schema as TObject).properties);
    const message = `There is no field ${JSON.stringify(shown(field))} here; expected ${known.join(", ")}`;
    return fault("unknown_field", message, { field: shown(field), known });
  }
  return invalidField({ field, value, expected: expectedOf(schema) });
}

function invalidField(at: {
  readonly code?: string;
  readonly field: string;
  readonly value: unknown;
  readonly problem?: string;
  readonly expected: string;
}): ReadMessage {
  const { code = "invalid_field", field, problem, expected } = at;
  const value = at.value === undefined ? undefined : shown(JSON.stringify(at.value));
  const is = value === undefined ? `${field} is missing` : `${field}=${value} is not usable`;
  const because = problem === undefined ? "" : `: ${problem}`;
  return fault(code, `${is}${because}; expected ${expected}`, { field, value, expected });
}

function fault(code: string, message: string, details: MessageError["details"]): ReadMessage {
  return { fault: { code, message, details } };
}

function withId(read: ReadMessage, id: { readonly id?: string }): ReadMessage {
  return "fault" in read ? { fault: { ...read.fault, ...id } } : read;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param path `/filters/metrics/1` @returns `filters.metrics[1]` */
function fieldOf(path: string): string {
  const names = path.slice(1).split("/");
  return names
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((field, name) => (/^\d+$/.test(name) ? `${field}[${name}]` : `${field}.${name}`));
}

function expectedOf(schema: TSchema): string {
  switch (schema[Kind]) {
    case "Union":
      return `one of ${(schema["anyOf"] as TSchema[]).map((member) => String(member["const"])).join(", ")}`;
    case "Literal":
      return JSON.stringify(schema["const"]);
    case "Boolean":
      return "true or false";
    case "Array":
      return `a list of ${String(schema["minItems"])} to ${String(schema["maxItems"])}`;
    case "String":
      return `a text of ${String(schema["minLength"])} to ${String(schema["maxLength"])} characters`;
    default:
      return "an object";
  }
}
