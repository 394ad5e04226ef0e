/** The codes of errors of JSON-RPC that are no answer to a message: the text is no JSON, or no message.
 *  Source: https://www.jsonrpc.org/specification#error_object */
const rpcCodes = { parseError: -32_700, invalidRequest: -32_600 } as const;

/** The longest message, in bytes. A question is a few hundred bytes. */
export const maxRequestBytes = 64 * 1024;

/** An error of JSON-RPC. */
export interface RpcError {
  readonly jsonrpc: "2.0";
  /** That of the message; null if it has none that can be read. */
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/** What a text is: a message, or the error that answers it. */
export type ReadText = { readonly message: unknown } | { readonly error: RpcError };

/** Reads a text as one message.
 *  @param check throws for a value that is no message of the protocol */
export function readMessage(text: string, check: (value: unknown) => unknown): ReadText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: rpcError("parseError", "This is not JSON") };
  }
  if (Array.isArray(value)) return { error: rpcError("invalidRequest", "Send one message at a time, not a list") };
  try {
    check(value);
    return { message: value };
  } catch {
    return { error: rpcError("invalidRequest", "This is JSON, but no message of the protocol", idOf(value)) };
  }
}

/** @param id absent: null */
export function rpcError(kind: keyof typeof rpcCodes, message: string, id: RpcError["id"] = null): RpcError {
  return { jsonrpc: "2.0", id, error: { code: rpcCodes[kind], message } };
}

/** The id that JSON-RPC lets an error have; null if a value has none.
 *  Source: https://www.jsonrpc.org/specification#response_object, "If there was an error in detecting the id ..., it MUST be Null" */
function idOf(value: unknown): RpcError["id"] {
  const id: unknown = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" || (typeof id === "number" && Number.isInteger(id)) ? id : null;
}
