import { defined } from "../../../kit/defined.ts";
import { headAnswer } from "../head-answer.ts";
import { type Encoding, encodingOf, type Format, formatOf, mediaTypeOf } from "./negotiate.ts";

const csvType = "text/csv; charset=utf-8; header=present";

/** The headers of a list that is written row by row. */
export function rowHeaders(request: Request, format: Format): Record<string, string> {
  return {
    "content-type": format === "csv" ? csvType : mediaTypeOf(request),
    "cache-control": "no-cache",
    vary: "accept, accept-encoding",
    ...defined({ "content-encoding": rowEncoding(request, format) }),
  };
}

/** The coding of a list that is written row by row; undefined for one that is compressed in itself. */
export function rowEncoding(request: Request, format: Format): Encoding | undefined {
  return format === "parquet" ? undefined : encodingOf(request);
}

/** The answer to a HEAD request for something that is read from the store. Its parameters have been checked, but nothing is read: otherwise,
 *  a request for headers alone would cost as much as a whole export. */
export function headOf(request: Request, format: Format = "json"): Response {
  return headAnswer(request, format === "json" ? { "content-type": "application/json" } : rowHeaders(request, format));
}

type Hook = (context: { readonly request: Request }) => Response | undefined;

/** The hook of a route that answers from what other processes store: for HEAD, it checks the parameters and reads nothing. */
export const jsonUnread: { readonly beforeHandle: Hook } = {
  beforeHandle: ({ request }) => (request.method === "HEAD" ? headOf(request) : undefined),
};

/** Like `jsonUnread`, for a route that also answers in rows: a format that it does not have is refused before anything is read. */
export const rowsUnread: { readonly beforeHandle: Hook } = {
  beforeHandle: ({ request }) => {
    const format = formatOf(request);
    return request.method === "HEAD" ? headOf(request, format) : undefined;
  },
};
