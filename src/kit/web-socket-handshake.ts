/** True if a request asks for a WebSocket. Without the option in Connection, the Upgrade header is not meant for this server.
 *  Source: https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 (5. and 6.), https://www.rfc-editor.org/rfc/rfc9110#section-7.8 */
export function isHandshake(headers: Headers): boolean {
  return tokensOf(headers, "upgrade").includes("websocket") && tokensOf(headers, "connection").includes("upgrade");
}

/** The subprotocols that a client offers, in its order; they differ in case. */
export function offeredProtocols(headers: Headers): string[] {
  return listOf(headers.get("sec-websocket-protocol"));
}

/** The elements of a header with tokens that have no case, in lower case. */
function tokensOf(headers: Headers, name: string): string[] {
  return listOf(headers.get(name)?.toLowerCase());
}

/** A list may have empty elements.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2 */
function listOf(value: string | null | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}
