/** A browser without a window: it keeps cookies by host, as browsers do, follows redirects, and sends forms. */
export class Redirects {
  private readonly jars = new Map<string, Map<string, string>>();
  /** The addresses of all answers, the last one at the end. */
  readonly visited: string[] = [];

  /** Opens an address, and follows redirects until a page; one that leads to `stopAt` is not followed.
   *  @returns the last answer, its address, and its text */
  async open(
    url: string,
    init: RequestInit = {},
    stopAt?: (url: string) => boolean,
  ): Promise<{ readonly url: string; readonly status: number; readonly text: string; readonly headers: Headers }> {
    let [at, sent] = [url, init];
    for (let hops = 0; hops < 20; hops += 1) {
      const answer = await fetch(at, { ...sent, redirect: "manual", headers: this.headersFor(at, sent) });
      this.visited.push(at);
      this.keep(at, answer.headers.getSetCookie());
      const location = answer.headers.get("location");
      const next = location === null ? undefined : new URL(location, at).href;
      if (next === undefined || stopAt?.(next) === true) {
        return { url: next ?? at, status: answer.status, text: await answer.text(), headers: answer.headers };
      }
      [at, sent] = [next, {}];
    }
    throw new Error(`too many redirects from ${url}`);
  }

  /** Sends the first form of a page, with its hidden fields. */
  submit(
    page: { readonly url: string; readonly text: string },
    fields: Readonly<Record<string, string>>,
    stopAt?: (url: string) => boolean,
  ): ReturnType<Redirects["open"]> {
    const [, action = ""] = /action="([^"]+)"/.exec(page.text) ?? [];
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const body = new URLSearchParams(hidden.map(([, name = "", value = ""]): [string, string] => [name, value]));
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    const to = new URL(action.replaceAll("&amp;", "&"), page.url);
    const headers = { "content-type": "application/x-www-form-urlencoded", origin: new URL(page.url).origin };
    return this.open(to.href, { method: "POST", headers, body: body.toString() }, stopAt);
  }

  cookie(url: string, name: string): string | undefined {
    return this.jars.get(new URL(url).hostname)?.get(name);
  }

  setCookie(url: string, name: string, value: string): void {
    this.keep(url, [`${name}=${value}`]);
  }

  /** The headers of a request, with its cookies. */
  headersFor(url: string, { headers }: RequestInit = {}): Headers {
    const all = new Headers(headers);
    const pairs = [...(this.jars.get(new URL(url).hostname) ?? [])].map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0) all.set("cookie", pairs.join("; "));
    return all;
  }

  private keep(url: string, cookies: readonly string[]): void {
    const { hostname } = new URL(url);
    const jar = this.jars.get(hostname) ?? new Map<string, string>();
    this.jars.set(hostname, jar);
    for (const cookie of cookies) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/max-age=0(;|$)|expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
  }
}
