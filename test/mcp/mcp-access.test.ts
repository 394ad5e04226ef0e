import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { AuditTrail } from "../../src/access/audit.ts";
import { openToAll } from "../../src/access/access.ts";
import { Caller } from "../../src/access/caller.ts";
import type { GpuBounds } from "../../src/domain/gpu-bounds.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";
import { gatewayOver, openFleetStore, type TestOptions } from "../routes/gateway.ts";
import { connectTo } from "./mcp-client.ts";

setDefaultTimeout(60_000);

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => void (stored = await openFleetStore()));
afterAll(() => stored.close());

/** A gateway all of whose callers have this selector. */
function boundedGateway(selector: GpuBounds, options: TestOptions = {}) {
  const caller = new Caller({ id: "k", name: "team", scopes: ["read"], selector, expiresAtMs: undefined });
  const access = { ...openToAll, isRequired: true, identify: () => Promise.resolve(caller) };
  return gatewayOver(stored, { access, ...options });
}

const bearer = { authorization: "Bearer x" };
const message = (method: string, params: object = {}): RequestInit => ({
  method: "POST",
  headers: { ...bearer, "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
});

test("a key needs the scope read, and a key that was revoked is refused", async () => {
  const secured = securedParts(stored);
  const gateway = gatewayOver(stored, secured.parts);
  const [reads, writes] = [await secured.create("read"), await secured.create("write")];
  const post = async (headers: Record<string, string>) =>
    (
      await gateway.get("/mcp", {
        ...message("tools/list"),
        headers: { ...(message("").headers as object), ...headers },
      })
    ).status;
  expect([await post(reads.headers), await post(writes.headers), await post({ authorization: "" })]).toEqual([
    200, 403, 401,
  ]);
  const mcp = await connectTo(gateway, reads.headers);
  expect((await mcp.call("list_gpus")).text).toContain("GPU-host-a-0");
  await secured.parts.administration.keys.revoke(reads.id);
  await expect(mcp.call("list_gpus")).rejects.toThrow();
  await mcp.client.close();
});

test("a key with a selector is answered of its own part only, and told that the pipeline is not in it", async () => {
  const gateway = boundedGateway({ hosts: ["host-b"] });
  const mcp = await connectTo(gateway, bearer);
  const { tools } = await mcp.client.listTools();
  const needed: Record<string, object> = {
    metric_history: { metric: "temperature", cluster_id: "alpha", start_time: "2025-07-18T20:00:00Z" },
  };
  for (const { name } of tools) {
    const { text } = await mcp.call(name, { ...needed[name] });
    expect([name, /host-a|beta|GPU\/x/.exec(text)]).toEqual([name, null]);
  }
  expect((await mcp.call("list_gpus")).text).toContain("GPU-host-b-0");
  expect((await mcp.call("list_gpus", { gpu_uuid: "GPU-host-a-0" })).text).toContain("0 devices");
  const refused = await mcp.call("pipeline_health");
  expect(refused).toEqual({
    isError: true,
    text: expect.stringContaining("this is about the whole pipeline, and needs a caller without one.") as string,
  });
  await mcp.client.close();
});

test("what a tool asks counts as the caller's requests, and the audit log has who was refused", async () => {
  const refusals: unknown[] = [];
  const trail: AuditTrail = { changed: () => undefined, refused: (entry) => void refusals.push(entry) };
  const http = { rateLimitPerSecond: 4, trustsForwardedFor: false, corsOrigins: undefined };
  const gateway = boundedGateway({ hosts: ["host-b"] }, { trail, http });
  const call = async (name: string) => (await gateway.get("/mcp", message("tools/call", { name }))).text();
  expect(await call("pipeline_health")).toContain("this is about the whole pipeline");
  expect(refusals).toEqual([expect.objectContaining({ keyId: "k", action: "getHealth", result: "forbidden" })]);
  const answers = [await call("list_metrics"), await call("list_metrics"), await call("list_metrics")];
  expect(answers.filter((each) => /requests a second/.test(each)).length).toBeGreaterThan(0);
});

test("a body that is no single message is refused before anything is opened", async () => {
  const gateway = gatewayOver(stored);
  const post = async (body: string) => (await gateway.get("/mcp", { ...message(""), body })).status;
  const one = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  expect([await post(one), await post(`[${one}]`), await post("{"), await post(one + " ".repeat(70_000))]).toEqual([
    ...[200, 400, 400, 413],
  ]);
  expect((await gateway.get("/mcp")).status).toBe(405);
});

test("the path is only for its own names and origins, as the rest of the API", async () => {
  const gateway = gatewayOver(stored);
  const headers = { ...(message("").headers as object), origin: "https://evil.example" };
  expect((await gateway.get("/mcp", { ...message("tools/list"), headers })).status).toBe(403);
  const other = { ...(message("").headers as object), host: "evil.example" };
  expect((await gateway.get("/mcp", { ...message("tools/list"), headers: other })).status).toBe(421);
});

test("a client cannot pretend that its request is one of the gateway's own", async () => {
  const secured = securedParts(stored);
  const gateway = gatewayOver(stored, secured.parts);
  await gateway.get("/health/live");
  const inner = new Request("http://gateway/api/v1/gpus", { headers: { accept: "application/json" } });
  expect((await gateway.app.handle(inner)).status).toBe(401);
});
