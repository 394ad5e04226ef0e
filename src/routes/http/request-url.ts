import { Elysia } from "elysia";

const origin = "http://gateway";

/** Elysia searches the path from this index of a request's `url`. */
const elysiaPathMinIndex = 11;

/** Makes every request's `url` valid, with a host of at least four characters, so that the Host header, which the client
 *  chooses, cannot change which route answers.
 *
 *  Bun's `url` begins with the Host header, or is only the path and query if that header is missing, empty or malformed. After a
 *  host of up to three characters, or none, Elysia would find another path; and `new URL(request.url)` throws if there is no
 *  host, or if Bun passes a host that is not valid, such as `a:99999`. */
export function requestUrl() {
  /** The beginning of the last valid URL. Most requests have the same one, and comparing is cheaper than parsing. */
  let validStart = "none";
  return new Elysia({ name: "request-url" }).wrap((handle, request) => {
    const { url } = request;
    if (url.startsWith(validStart)) return handle;
    const pathAt = pathIndexOf(url);
    if (pathAt >= elysiaPathMinIndex && URL.canParse(url)) validStart = url.slice(0, pathAt + 1);
    // a copy of the request would not do: Bun upgrades only its own requests, and knows only their client's address
    else Object.defineProperty(request, "url", { value: withOrigin(url, pathAt) });
    return handle;
  });
}

/** @returns the index of the slash that begins the path; -1 for the target of CONNECT, which has no path */
function pathIndexOf(url: string): number {
  return url.startsWith("/") ? 0 : url.indexOf("/", "http://".length + 1);
}

function withOrigin(url: string, pathAt: number): string {
  // parsed, because Bun resolves the path's `.` and `..`, and encodes its characters, only if the host is valid
  return pathAt === -1 ? `${origin}/` : new URL(origin + url.slice(pathAt)).href;
}
