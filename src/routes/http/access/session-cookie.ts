import type { OriginRule } from "../door/origin-rule.ts";

/** The value of a cookie; undefined if the request has none, or several of this name: another server of the same host, on another
 *  port, may have set one of them. */
export function cookieIn(headers: Headers, name: string): string | undefined {
  const pairs = (headers.get("cookie") ?? "").split(";").map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}

/** True if a cookie of this request shows that a person wants it. Browsers send cookies with requests of other pages, too: those of
 *  another port of the same host, for example. So a change or a socket must be of a page that may make it, which its Origin says; and a read
 *  of such a page, or of a window that a person has opened. */
export function mayUseCookies(request: Request, origins: OriginRule): boolean {
  const { headers, method } = request;
  const sender = origins.senderOf(headers);
  const isOwn = sender === "self" || sender === "listed";
  const isRead = (method === "GET" || method === "HEAD") && !headers.has("upgrade");
  return isRead ? isOwn || isOpenedPage(request) : isOwn && headers.has("origin");
}

/** True if a browser's window shows the answer: a person has typed the address, or followed a link. */
export function isOpenedPage({ headers, method }: Request): boolean {
  if (method !== "GET" || headers.has("upgrade") || headers.has("origin")) return false;
  const mode = headers.get("sec-fetch-mode");
  if (mode !== null) return mode === "navigate" && headers.get("sec-fetch-dest") === "document";
  // browsers do not say it at plain http:// addresses, except for localhost; programs do not ask for HTML
  return headers.get("accept")?.includes("text/html") === true;
}
