import type { Command } from "commander";
import { version } from "../../package.json";
import { ApiRefusal } from "../../src/mcp/gateway-api.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { print } from "../../src/terminal/print.ts";
import { unreachableHint } from "../gateway/unreachable-hint.ts";
import { maxRequestBytes } from "../../src/mcp/json-rpc.ts";
import { MessageLines } from "./mcp-lines.ts";
import type { Output } from "./output.ts";

const timeoutMs = 60_000;

/** Adds the command that serves the Model Context Protocol on standard input and output. */
export function addMcp(program: Command, output: () => Output): void {
  program
    .command("mcp")
    .description(
      "serve the gateway's answers to a client of the Model Context Protocol, such as an assistant, on stdin and stdout",
    )
    .action(() => serve(output()));
}

/** Serves until the client closes standard input. The protocol's packages are loaded only here: no other command needs them. */
async function serve({ url, headers, tls }: Output): Promise<void> {
  const [{ serveStdio, StdioServerTransport }, { parseJSONRPCMessage }, { makeMcpServer }] = await Promise.all([
    import("@modelcontextprotocol/server/stdio"),
    import("@modelcontextprotocol/server"),
    import("../../src/mcp/mcp-server.ts"),
  ]);
  const init = { headers: { ...headers, accept: "application/json" }, ...(tls === undefined ? {} : { tls }) };
  const send = (path: string): Promise<Response> =>
    fetch(url + path, { ...init, signal: AbortSignal.timeout(timeoutMs) }).catch((cause: unknown) => {
      const reason = messageOf(cause);
      throw new ApiRefusal(`No gateway answers at ${url}: ${reason}${unreachableHint(url, reason)}`, { cause });
    });
  const lines = new MessageLines({
    maxBytes: maxRequestBytes,
    check: parseJSONRPCMessage,
    onError: (error) => print(JSON.stringify(error)),
  });
  const transport = new StdioServerTransport(process.stdin.pipe(lines), process.stdout);
  serveStdio(() => makeMcpServer({ version, send }), { transport });
}
