import { Elysia } from "elysia";

const origin = "http://gateway";

/** Elysia searches the path from this index of a request's `url`. */
const elysiaPathMinIndex = 11;

/** Makes every request's `url` valid, without a fragment and with a host of at least four characters, so that neither the Host
 *  header, which the client chooses, nor a fragment can change which route answers.
 *
 *  Bun's `url` begins with the Host header, or is only the path and query if that header is missing, empty or malformed. After a
 *  host of up to three characters, or none, Elysia would find another path; and `new URL(request.url)` throws if there is no
 *  host, or if Bun passes a host that is not valid, such as `a:99999`.
 *
 *  Bun passes on a fragment, too, although "the target URI excludes the reference's fragment component": Elysia would search a
 *  route for `/health#x`.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-7.1 */
export function requestUrl() {
  /** The beginning of the last valid URL. Most requests have the same one, and comparing is cheaper than parsing. */
  let validStart = "none";
  return new Elysia({ name: "request-url" }).wrap((handle, request) => {
    const url = withoutFragment(decodedPath(request.url));
    const hasValidStart = url.startsWith(validStart);
    if (hasValidStart && url === request.url) return handle;
    const pathAt = pathIndexOf(url);
    const isValid = hasValidStart || (pathAt >= elysiaPathMinIndex && URL.canParse(url));
    if (isValid) validStart = url.slice(0, pathAt + 1);
    // a copy of the request would not do: Bun upgrades only its own requests, and knows only their client's address
    if (!isValid || url !== request.url) {
      Object.defineProperty(request, "url", { value: isValid ? url : withOrigin(url, pathAt) });
    }
    return handle;
  });
}

/** The URL with the characters of its path decoded that need no encoding: `/api/v1/%67pus` is `/api/v1/gpus`. Bun has resolved `.` and `..`
 *  before, also those that are encoded.
 *  Source: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2 */
function decodedPath(url: string): string {
  // with broken encodings among them, decoding could make new ones: %2%35
  if (!url.includes("%") || /%(?![\dA-Fa-f]{2})/.test(url)) return url;
  const queryAt = url.indexOf("?");
  const pathEnd = queryAt === -1 ? url.length : queryAt;
  const path = url
    .slice(0, pathEnd)
    .replace(/%(?:2[DEde]|3\d|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])/g, (encoded) =>
      String.fromCharCode(parseInt(encoded.slice(1), 16)),
    );
  return path + url.slice(pathEnd);
}

function withoutFragment(url: string): string {
  const fragmentAt = url.indexOf("#");
  return fragmentAt === -1 ? url : url.slice(0, fragmentAt);
}

/** @returns the index of the slash that begins the path; -1 for the target of CONNECT, which has no path */
function pathIndexOf(url: string): number {
  return url.startsWith("/") ? 0 : url.indexOf("/", "http://".length + 1);
}

function withOrigin(url: string, pathAt: number): string {
  // parsed, because Bun resolves the path's `.` and `..`, and encodes its characters, only if the host is valid
  return pathAt === -1 ? `${origin}/` : new URL(origin + url.slice(pathAt)).href;
}
