import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { TestGateway } from "../routes/gateway.ts";

/** An answer of a tool. */
export interface ToolAnswer {
  readonly text: string;
  readonly isError: boolean;
}

/** A client of the Model Context Protocol that is connected. */
export interface Connected {
  readonly client: Client;
  call(name: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
}

/** Connects the protocol's own client to a gateway.
 *  @param headers sent with every request */
export async function connectTo(
  gateway: Pick<TestGateway, "get">,
  headers: Record<string, string> = {},
): Promise<Connected> {
  const transport = new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), {
    requestInit: { headers },
    fetch: (url, init) => gateway.get(new URL(url).pathname, init),
  });
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  return withCalls(client);
}

/** Adds `call` to a client. */
export function withCalls(client: Client): Connected {
  return {
    client,
    call: async (name, args = {}) => {
      const { content, isError = false } = await client.callTool({ name, arguments: args });
      const [first] = content as { type: string; text: string }[];
      return { text: first?.text ?? "", isError: isError === true };
    },
  };
}
