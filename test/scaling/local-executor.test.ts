import { afterEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalExecutor } from "../../src/scaling/executor/local/local-executor.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-executor-"));
const socket = join(dir, "supervisor.sock");
let supervisor: { stop(closeActive: boolean): Promise<void> } | undefined;
afterEach(async () => {
  await supervisor?.stop(true);
  await rm(dir, { recursive: true, force: true });
});

const request = { role: "collector", count: 3, term: "4711", reason: "load" } as const;

test("the supervisor is asked for a count with the term, and says which counts were requested last", async () => {
  const received: unknown[] = [];
  supervisor = Bun.serve({
    unix: socket,
    fetch: async (asked) => {
      const { pathname } = new URL(asked.url);
      if (pathname === "/status") return Response.json({ roles: { collector: { count: 2, live: 1 } }, other: 1 });
      received.push([asked.method, pathname, await asked.json()]);
      return Response.json({});
    },
  });
  const executor = new LocalExecutor({ socket });
  await executor.scale(request);
  expect(received).toEqual([["POST", "/roles/collector", { count: 3, term: 4711, reason: "load" }]]);
  expect(await executor.requested("collector")).toBe(2);
  expect(await executor.requested("gateway")).toBeUndefined();
});

test("a refusal is an error with the supervisor's reason", async () => {
  await mkdir(dir, { recursive: true });
  const fetch = (): Response => Response.json({ error: "term 4712 has already asked" }, { status: 409 });
  supervisor = Bun.serve({ unix: socket, fetch });
  const refused = new LocalExecutor({ socket }).scale(request).catch((reason: unknown) => String(reason));
  expect(await refused).toContain("the supervisor refused 3 collectors: term 4712 has already asked");
});

test("without a supervisor, the error names the socket", async () => {
  const executor = new LocalExecutor({ socket: join(dir, "none.sock") });
  const error = await executor.scale(request).catch((reason: unknown) => String(reason));
  expect(error).toContain(`the supervisor does not answer at ${dir}/none.sock (SUPERVISOR_SOCKET)`);
});
