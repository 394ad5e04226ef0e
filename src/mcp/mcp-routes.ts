import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import type { McpHttpHandler } from "@modelcontextprotocol/server";
import type { Clock } from "../kit/clock.ts";
import { DeadlineExceeded } from "../kit/within.ts";
import { hiddenDetail } from "../routes/http/access/access-rule.ts";
import { innerRequest } from "../routes/http/access/inner-request.ts";
import { bodyMaxMs, boundedText } from "../routes/http/bounded-body.ts";

/** A question is a few hundred bytes. */
const maxRequestBytes = 64 * 1024;

interface McpOptions {
  /** Returns the app, whose REST routes answer the tools' requests. */
  readonly app: () => AnyElysia;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The Model Context Protocol at /mcp: each request stands for itself (streamable HTTP without sessions), so that any gateway behind a
 *  balancer may answer it. A tool asks the REST routes as the caller of /mcp, so that its scope, selector and budgets hold. */
export function mcpRoutes(options: McpOptions) {
  let opening: Promise<McpHttpHandler> | undefined;
  return new Elysia({ name: "mcp", detail: hiddenDetail({ scope: "read", selectors: "narrowed" }) }).post(
    "/mcp",
    async ({ request }) => {
      const body = await bodyOf(request, options.clock);
      if ("refusal" in body) return body.refusal;
      opening ??= openHandler(options);
      return (await opening).fetch(request, { parsedBody: body.message });
    },
    { parse: "none" },
  );
}

/** The package is loaded at the first request: most gateways never need it. */
async function openHandler({ app, version, log }: McpOptions): Promise<McpHttpHandler> {
  const [{ createMcpHandler }, { makeMcpServer }] = await Promise.all([
    import("@modelcontextprotocol/server"),
    import("./mcp-server.ts"),
  ]);
  return createMcpHandler(
    ({ requestInfo }) => {
      if (requestInfo === undefined) throw new TypeError("a request over HTTP has its request");
      return makeMcpServer({ version, send: (path) => app().handle(innerRequest(requestInfo, path)) });
    },
    {
      // nothing here changes while a client listens
      maxSubscriptions: 0,
      onerror: (error) => log.debug({ err: error }, "a request at /mcp was refused"),
    },
  );
}

/** The message of a request, or the answer to one that is not read. */
type Body = { readonly message: unknown } | { readonly refusal: Response };

async function bodyOf(request: Request, clock: Clock): Promise<Body> {
  const text = await boundedText(request, maxRequestBytes, clock).catch((error: unknown) => {
    if (error instanceof DeadlineExceeded) return error;
    throw error;
  });
  if (text instanceof DeadlineExceeded) return refused(408, `The body has not arrived within ${bodyMaxMs / 1000} s`);
  if (text === undefined) return refused(413, `The body is longer than ${maxRequestBytes} bytes`);
  const message = parsed(text);
  if (typeof message === "object" && message !== null && !Array.isArray(message)) return { message };
  return refused(400, "The body has to be one message of the Model Context Protocol, in JSON");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What remains of a body that was not read would be taken for the next request of the connection.
 *  Source: https://www.jsonrpc.org/specification#error_object (-32700: parse error) */
function refused(status: 400 | 408 | 413, message: string): Body {
  const body = { jsonrpc: "2.0", id: null, error: { code: -32_700, message } };
  return { refusal: Response.json(body, { status, headers: { connection: "close" } }) };
}
