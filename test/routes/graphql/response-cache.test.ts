import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";

// Answers are cached. They must never be stale.

let gateway: LiveGateway;
beforeAll(async () => {
  gateway = await openLiveGateway();
  await gateway.publish(record("GPU-a", 1));
});
afterAll(() => gateway.close());

const record = (uuid: string, second: number) => ({
  uuid,
  timeMs: Date.UTC(2025, 6, 18) + second * 1000,
  metrics: { temperature: second },
});

async function ask(query: string, headers: Record<string, string> = {}): Promise<Response> {
  return gateway.app.handle(
    new Request("http://localhost/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ query }),
    }),
  );
}

const newest = "{ gpus { uuid latest { temperature } } }";
const answerOf = async (query: string): Promise<unknown> =>
  ((await (await ask(query)).json()) as { data: unknown }).data;

test("an answer about the fleet is current when the query is repeated, after a new record, and after a new GPU", async () => {
  const first = { gpus: [{ uuid: "GPU-a", latest: { temperature: 1 } }] };
  expect(await answerOf(newest)).toEqual(first);
  expect(await answerOf(newest)).toEqual(first);
  await gateway.publish(record("GPU-a", 2));
  expect(await answerOf(newest)).toEqual({ gpus: [{ uuid: "GPU-a", latest: { temperature: 2 } }] });
  await gateway.publish(record("GPU-b", 3));
  expect(await answerOf(newest)).toMatchObject({ gpus: [{ uuid: "GPU-a" }, { uuid: "GPU-b" }] });
});

test("an answer with history is current even if only the history has changed", async () => {
  const history = '{ gpu(uuid: "GPU-a") { telemetry { temperature } } }';
  expect(await answerOf(history)).toEqual({ gpu: { telemetry: [] } });
  await gateway.store(record("GPU-a", 1));
  expect(await answerOf(history)).toEqual({ gpu: { telemetry: [{ temperature: 1 }] } });
});

test("an answer with an error is cached like any other: repeating the query does not execute it until the fleet changes", async () => {
  const query = '{ gpus(hostname: "host-a") { uuid } wrong: gpus(limit: 0) { uuid } }';
  const executions = spyOn(gateway.fleet, "members");
  const text = async () => (await ask(query)).text();
  const wrong = await text();
  expect(wrong).toContain("BAD_USER_INPUT");
  const callCount = executions.mock.calls.length;
  expect(callCount).toBeGreaterThan(0);
  expect(await text()).toBe(wrong);
  expect(executions).toHaveBeenCalledTimes(callCount);
  await gateway.publish(record("GPU-a", 5));
  expect(await text()).toBe(wrong);
  expect(executions.mock.calls.length).toBeGreaterThan(callCount);
  executions.mockRestore();
});

test("a compressed answer has the content of the uncompressed one", async () => {
  await gateway.publish(...Array.from({ length: 50 }, (_, index) => record(`GPU-many-${index}`, 4)));
  const plain = await (await ask(newest)).text();
  for (const encoding of ["gzip", "zstd"]) {
    const response = await ask(newest, { "accept-encoding": encoding });
    expect(response.headers.get("content-encoding")).toBe(encoding);
    expect(response.headers.get("content-type")).toContain("application/json");
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = encoding === "gzip" ? Bun.gunzipSync(bytes) : await Bun.zstdDecompress(bytes);
    expect(new TextDecoder().decode(text)).toBe(plain);
  }
});
