import { Elysia } from "elysia";

const origin = "http://gateway";

/** Gives every request the same origin in its `url`, so that the Host header, which the client chooses, cannot change which
 *  route answers.
 *
 *  Bun's `url` begins with the Host header, or is only the path and query if that header is missing, empty or malformed.
 *  Elysia searches the path from the 11th character of `url`: after a host of up to three characters, or none, it would find
 *  another path. `new URL(request.url)` throws if there is no host, or if Bun passes a host that is not valid: `a:99999`. */
export function requestUrl() {
  return new Elysia({ name: "request-url" }).wrap((handle, request) => {
    // a copy of the request would not do: Bun upgrades only its own requests, and knows only their client's address
    Object.defineProperty(request, "url", { value: urlOf(request.url), configurable: true });
    return handle;
  });
}

function urlOf(given: string): string {
  // the first slash after a host of at least one character
  const pathAt = given.startsWith("/") ? 0 : given.indexOf("/", "http://".length + 1);
  // the target of CONNECT has no path
  if (pathAt === -1) return `${origin}/`;
  const url = origin + given.slice(pathAt);
  // Bun resolves the path's `.` and `..`, and encodes its characters, only in a URL that is valid
  return URL.canParse(given) ? url : new URL(url).href;
}
