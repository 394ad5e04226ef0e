import type { Server } from "bun";
import type { HostNames } from "../kit/host-names.ts";

export interface RedirectOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The names under which the process answers. */
  readonly hosts: HostNames;
  /** The port that clients reach TLS at. */
  readonly tlsPort: number;
}

/** Answers requests without TLS with the same address with TLS, if that can do no harm: a browser's first visit. What has a key is
 *  refused, because a redirect would let it work on, and the key would be sent in clear each time.
 *  @throws the error of the system if the port cannot be used */
export function serveRedirects({ host: hostname, port, hosts, tlsPort }: RedirectOptions): Server<undefined> {
  const answer = (request: Request): Response => {
    const host = request.headers.get("host") ?? "";
    if (!hosts.includes(host) || !URL.canParse(`http://${host}`)) {
      return refusal(421, "host_not_allowed", "There is no service under this name here (ALLOWED_HOSTS)");
    }
    const url = URL.parse(request.url);
    if (url === null) return refusal(400, "invalid_parameter", "The request's address is not usable");
    const at = `https://${new URL(`http://${host}`).hostname}${tlsPort === 443 ? "" : `:${tlsPort}`}`;
    if (request.headers.has("authorization") || url.searchParams.has("ticket")) {
      return refusal(
        403,
        "tls_required",
        `The key was sent without TLS, and may have been read on the way: replace it, and use ${at}`,
      );
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refusal(403, "tls_required", `${request.method} needs TLS: use ${at}`);
    }
    const location = `${at}${url.pathname}${url.search}`;
    return new Response(null, { status: 308, headers: { location, "cache-control": "no-store" } });
  };
  return Bun.serve({ hostname, port, reusePort: false, development: false, maxRequestBodySize: 65_536, fetch: answer });
}

function refusal(status: number, code: string, message: string): Response {
  const headers = { connection: "close", "cache-control": "no-store" };
  return Response.json({ success: false, error: { code, message, details: {} } }, { status, headers });
}
