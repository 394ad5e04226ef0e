import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answerOf, createGatewayClient, GatewayError, GatewayUnreachable } from "gpu-telemetry-client";
import { allowedMethods } from "../../src/routes/http/route-table.ts";
import { type LoadedGateway, realCsv, realFigures, startLoadedGateway } from "../support/loaded-gateway.ts";
import { driveEveryOperation } from "./drive-every-operation.ts";

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";

describe.skipIf(realCsv === undefined)("the client, with the real CSV loaded", () => {
  let gateway: LoadedGateway;
  beforeAll(async () => void (gateway = await startLoadedGateway({ METRICS_FLEET: "true" })), 90_000);
  afterAll(() => gateway.stop());

  test("calls every operation of the served document", async () => {
    const { sent, counts } = await driveEveryOperation(gateway.url, "local-cluster");
    const { paths } = (await (await fetch(`${gateway.url}/swagger/swagger.json`)).json()) as {
      readonly paths: Readonly<Record<string, object>>;
    };
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => ({ method: method.toUpperCase(), path: path.replace(/\{(\w+)\}/g, ":$1") })),
    );
    expect(operations.length).toBeGreaterThan(20);
    const notCalled = operations.filter(
      (operation) =>
        !sent.some(({ method, path }) => method === operation.method && allowedMethods([operation], path).length > 0),
    );
    expect(notCalled).toEqual([]);
    expect(counts).toMatchObject({
      "get /api/v1/gpus": realFigures.gpus,
      "get /api/v1/hosts": realFigures.hosts,
      "get /api/v1/telemetry": realFigures.records,
      "get /api/v1/telemetry/latest": realFigures.gpus,
      "get /api/v1/gpus/{uuid}/telemetry": 4,
      "get /api/v1/quarantine": 0,
    });
  });

  test("throws the gateway's own error if a call fails", async () => {
    const client = createGatewayClient({ baseUrl: gateway.url });
    const error = await answerOf(client.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid: "GPU-0" } } })).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ status: 404, code: "not_found", details: { uuid: "GPU-0" } });
    expect((error as GatewayError).message).toBe('There is no GPU with uuid "GPU-0"');
  });

  test("reads a history page by page", async () => {
    const client = createGatewayClient({ baseUrl: `${gateway.url}/` });
    const times: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: 3, ...(cursor === undefined ? {} : { cursor }) };
      const page = await answerOf(client.GET("/api/v1/gpus/{uuid}/telemetry", { params: { path: { uuid }, query } }));
      times.unshift(...page.data.map(({ timestamp }) => timestamp));
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    expect(times).toEqual([34, 35, 36, 37].map((second) => `2025-07-18T20:42:${second}Z`));
  });
});

describe("a call without an answer from a gateway", () => {
  test("rejects with the call's URL and the reason, if nothing listens at the URL", async () => {
    const client = createGatewayClient({ baseUrl: "http://localhost:1" });
    const error = await answerOf(client.GET("/api/v1/gpus")).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GatewayUnreachable);
    expect((error as Error).message).toMatch(/^GET http:\/\/localhost:1\/api\/v1\/gpus got no answer: .+/);
  });

  for (const [name, answer] of [
    ["never answers", () => new Promise<Response>(() => undefined)],
    [
      "stops in the middle of its answer",
      () => new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode("{")) })),
    ],
  ] as const) {
    test(`ends at its timeout, if the gateway ${name}`, async () => {
      const server = Bun.serve({ port: 0, fetch: answer });
      const client = createGatewayClient({ baseUrl: server.url.href, timeoutMs: 100 });
      const error = await answerOf(client.GET("/api/v1/gpus")).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(GatewayUnreachable);
      await server.stop(true);
    });
  }

  test("rejects with the answer, if a server that is not a gateway sent it", async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response("<h1>Bad gateway</h1>", { status: 502 }) });
    const client = createGatewayClient({ baseUrl: server.url.href });
    const error = await answerOf(client.GET("/api/v1/gpus")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ status: 502, code: "" });
    expect((error as Error).message).toContain("<h1>Bad gateway</h1>");
    await server.stop(true);
  });
});
