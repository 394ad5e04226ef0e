const unread = new WeakSet<Request>();

/** The answer to a HEAD request whose body would cost reads of the store: headers alone. Its length is not known, so it must not say
 *  one. */
export function headAnswer(request: Request, headers: Readonly<Record<string, string>>): Response {
  unread.add(request);
  return new Response(null, { headers });
}

/** Takes from a `headAnswer` the length 0 that Elysia has counted; other answers stay as they are.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.6 */
export function withoutLength(request: Request, { headers }: Response): void {
  if (!unread.has(request)) return;
  headers.delete("content-length");
  // otherwise Bun says that the length is 0
  headers.set("transfer-encoding", "chunked");
}
