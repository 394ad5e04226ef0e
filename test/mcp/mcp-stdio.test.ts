import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { version } from "../../package.json";
import { securedParts } from "../routes/access/secured-gateway.ts";
import { gatewayOver, openFleetStore } from "../routes/gateway.ts";
import { withCalls } from "./mcp-client.ts";
import { listening } from "../support/listening.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");

interface ServerEntry {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What docs/mcp.md tells people to give to a client that starts the program. */
async function documented(): Promise<ServerEntry> {
  const page = await Bun.file(join(root, "docs/mcp.md")).text();
  const [, text = ""] = /## As a program[^]*?```json\n([^]*?)```/.exec(page) ?? [];
  const { mcpServers } = JSON.parse(text) as { readonly mcpServers: Readonly<Record<string, ServerEntry>> };
  const [entry] = Object.values(mcpServers);
  if (entry === undefined) throw new Error("docs/mcp.md has no server");
  return entry;
}

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: ReturnType<typeof gatewayOver>;
let key: string;
let url: string;
beforeAll(async () => {
  stored = await openFleetStore();
  const secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  url = `http://127.0.0.1:${await listening(gateway)}`;
  key = (await secured.create("read")).text;
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
});

/** Starts the documented program, for another gateway and key, and asks it one question. */
async function ask(url: string, env: Readonly<Record<string, string>>) {
  const entry = await documented();
  expect([entry.command, Object.keys(entry.env)]).toEqual(["bun", ["TELEMETRY_KEY"]]);
  const args = entry.args.map((each) => (each === "http://localhost:8080" ? url : each));
  const transport = new StdioClientTransport({
    ...{ command: process.execPath, args, cwd: root, stderr: "ignore" },
    env: { PATH: process.env.PATH ?? "", ...env },
  });
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  const server = client.getServerVersion()?.version;
  const answer = await withCalls(client).call("list_gpus", { hostname: "host-b" });
  const { pid } = transport;
  await client.close();
  return { ...answer, server, pid };
}

test("the documented program answers with what the key may see, and ends with its client", async () => {
  const { text, isError, server, pid } = await ask(url, { TELEMETRY_KEY: key });
  expect([isError, server]).toEqual([false, version]);
  expect(text).toContain("alpha host-b GPU 0: GPU-host-b-0");
  expect(() => process.kill(pid ?? 0, 0)).toThrow();
});

test("without a key that is valid, or a gateway, the answer says what is wrong", async () => {
  expect(await ask(url, {})).toMatchObject({
    isError: true,
    text: expect.stringContaining("This needs a key") as string,
  });
  const away = await ask("http://127.0.0.1:1", {});
  expect(away).toMatchObject({
    isError: true,
    text: expect.stringContaining("No gateway answers at http://127.0.0.1:1") as string,
  });
});

test("a line that is no message is answered with JSON-RPC's error, and the next one is read", async () => {
  const args = [join(root, "scripts/telemetry.ts"), "mcp", "--url", "http://127.0.0.1:1"];
  const program = Bun.spawn([process.execPath, ...args], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const initialize = {
    ...{ jsonrpc: "2.0", id: 7, method: "initialize" },
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  };
  const lines = [
    "no JSON",
    "",
    '{"jsonrpc":"2.0","method":1}',
    '{"id":"a","method":"ping"}',
    "[]",
    JSON.stringify({ ...initialize, padding: "x".repeat(70_000) }),
    JSON.stringify(initialize),
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    "{",
    '{"jsonrpc":"2.0","id":8,"method":"tools/list"}',
  ];
  void program.stdin.write(`${lines.join("\n")}\n`);
  await program.stdin.flush();
  const answers: { id: unknown; error?: { code: number }; result?: object }[] = [];
  let text = "";
  for await (const chunk of program.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    answers.push(...whole.map((line) => JSON.parse(line) as (typeof answers)[number]));
    if (answers.some(({ id }) => id === 8)) break;
  }
  await program.stdin.end();
  expect(await program.exited).toBe(0);
  const errors = answers.flatMap(({ id, error }) => (error === undefined ? [] : [[id, error.code]]));
  expect(errors).toEqual([
    [null, -32_700],
    [null, -32_600],
    ["a", -32_600],
    [null, -32_600],
    [null, -32_600],
    [null, -32_700],
  ]);
  expect(answers.filter(({ result }) => result !== undefined).map(({ id }) => id)).toEqual([7, 8]);
});

test.each([
  ["no JSON", 400, null, -32_700],
  ["[]", 400, null, -32_600],
  ['"text"', 400, null, -32_600],
  ['{"jsonrpc":"2.0","method":1}', 400, null, -32_600],
  ['{"id":3,"method":"tools/list"}', 400, 3, -32_600],
  [`{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(70_000)}"}`, 413, null, -32_600],
])("over HTTP, %p is answered with its error", async (body, status, id, code) => {
  const headers = {
    ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
    authorization: `Bearer ${key}`,
  };
  const answer = await gateway.get("/mcp", { method: "POST", headers, body });
  expect([answer.status, await answer.json()]).toMatchObject([status, { jsonrpc: "2.0", id, error: { code } }]);
});
