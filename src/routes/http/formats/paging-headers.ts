import { defined } from "../../../kit/defined.ts";

/** What the envelope of a list says besides its elements: how many there are, how to go on, and what they cover. */
export interface Paging {
  /** The elements of the whole list; undefined if they are not counted. */
  readonly total?: number | undefined;
  /** The cursor of the next part; undefined at the end. */
  readonly next_cursor?: string | undefined;
  readonly start_time?: string | undefined;
  readonly end_time?: string | undefined;
  /** For people: what the list may lack. */
  readonly notice?: string | undefined;
}

/** The headers that say of rows what the envelope says in JSON.
 *  Source: https://www.rfc-editor.org/rfc/rfc8288#section-3 (Link) */
export function pagingHeaders({ url }: Request, paging: Paging): Record<string, string> {
  const { total, next_cursor: cursor, start_time: start, end_time: end, notice } = paging;
  const headers: Record<string, string> = defined({
    "x-total-count": total?.toString(),
    "x-start-time": start,
    "x-end-time": end,
    // a header may have nothing else
    "x-notice": notice?.replace(/[^\x20-\x7e]/g, "?"),
  });
  if (cursor !== undefined) {
    const next = new URL(url);
    next.searchParams.set("cursor", cursor);
    headers["x-next-cursor"] = cursor;
    headers["link"] = `<${next.pathname}${next.search}>; rel="next"`;
  }
  return headers;
}
