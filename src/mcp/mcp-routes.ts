import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import type { McpHttpHandler } from "@modelcontextprotocol/server";
import type { Clock } from "../kit/clock.ts";
import { DeadlineExceeded } from "../kit/within.ts";
import { hiddenDetail } from "../routes/http/access/access-rule.ts";
import { innerRequest } from "../routes/http/access/inner-request.ts";
import { bodyMaxMs, boundedText } from "../routes/http/bounded-body.ts";
import { maxRequestBytes, readMessage, type RpcError, rpcError } from "./json-rpc.ts";

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
  let opening: Promise<Opened> | undefined;
  return new Elysia({ name: "mcp", detail: hiddenDetail({ scope: "read", selectors: "narrowed" }) }).post(
    "/mcp",
    async ({ request }) => {
      opening ??= openHandler(options);
      const { handler, check } = await opening;
      const body = await bodyOf(request, options.clock, check);
      return "refusal" in body ? body.refusal : handler.fetch(request, { parsedBody: body.message });
    },
    { parse: "none" },
  );
}

interface Opened {
  readonly handler: McpHttpHandler;
  /** Throws for a value that is no message of the protocol. */
  readonly check: (value: unknown) => unknown;
}

/** The package is loaded at the first request: most gateways never need it. */
async function openHandler({ app, version, log }: McpOptions): Promise<Opened> {
  const [{ createMcpHandler, parseJSONRPCMessage }, { makeMcpServer }] = await Promise.all([
    import("@modelcontextprotocol/server"),
    import("./mcp-server.ts"),
  ]);
  const handler = createMcpHandler(
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
  return { handler, check: parseJSONRPCMessage };
}

/** The message of a request, or the answer to one that is not read. */
type Body = { readonly message: unknown } | { readonly refusal: Response };

async function bodyOf(request: Request, clock: Clock, check: Opened["check"]): Promise<Body> {
  const text = await boundedText(request, maxRequestBytes, clock).catch((error: unknown) => {
    if (error instanceof DeadlineExceeded) return error;
    throw error;
  });
  if (text instanceof DeadlineExceeded) {
    return refused(408, rpcError("invalidRequest", `The body has not arrived within ${bodyMaxMs / 1000} s`));
  }
  if (text === undefined) {
    return refused(413, rpcError("invalidRequest", `The body is longer than ${maxRequestBytes} bytes`));
  }
  const read = readMessage(text, check);
  return "error" in read ? refused(400, read.error) : read;
}

/** What remains of a body that was not read would be taken for the next request of the connection. */
function refused(status: 400 | 408 | 413, error: RpcError): Body {
  return { refusal: Response.json(error, { status, headers: { connection: "close" } }) };
}
