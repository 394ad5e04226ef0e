/** Who sent a request, as far as its headers tell:
 *  - `self`: no page, or a page of this gateway
 *  - `listed`: a page of an origin that CORS_ORIGINS names
 *  - `reader`: another page, while CORS_ORIGINS is `*`: it may read, and change nothing
 *  - `foreign`: another page */
export type Sender = "self" | "listed" | "reader" | "foreign";

/** Tells from a request's headers whether a page of another origin sent it. Browsers write Origin and Sec-Fetch-Site themselves, a
 *  page cannot change them, and programs that are no browsers send neither.
 *  Source: https://www.w3.org/TR/fetch-metadata/ and https://fetch.spec.whatwg.org/#origin-header */
export class OriginRule {
  private readonly listed: ReadonlySet<string>;
  private readonly othersMayRead: boolean;

  /** @param origins whose pages may use the API; `*` lets every page read it */
  constructor(origins: readonly string[] = []) {
    this.listed = new Set(origins);
    this.othersMayRead = this.listed.has("*");
  }

  /** The sender of a request with these headers. */
  senderOf(headers: Headers): Sender {
    const origin = headers.get("origin");
    if (origin !== null && this.listed.has(origin)) return "listed";
    if (this.isOwn(headers, origin)) return "self";
    return this.othersMayRead ? "reader" : "foreign";
  }

  private isOwn(headers: Headers, origin: string | null): boolean {
    const site = headers.get("sec-fetch-site");
    // "none" is a person: the address bar, a bookmark
    if (site !== null && site !== "same-origin" && site !== "none") return false;
    return origin === null || isSameHost(origin, headers.get("host"));
  }
}

/** True if an origin is the one of the Host header. The scheme may differ: a proxy in front may speak TLS.
 *  @param origin as browsers write it; anything else is no origin */
function isSameHost(origin: string, host: string | null): boolean {
  const [, scheme, authority] = /^(https?):\/\/([^/?#@\\\s]+)$/.exec(origin) ?? [];
  if (authority === undefined || host === null) return false;
  const own = `${scheme}://${host}`;
  return URL.canParse(own) && URL.canParse(origin) && new URL(own).host === new URL(origin).host;
}
