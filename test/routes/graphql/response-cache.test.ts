import { afterAll, beforeAll, expect, test } from "bun:test";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";

// What is answered again without being worked out again, and that it is never old.

let gateway: LiveGateway;
beforeAll(async () => {
  gateway = await openLiveGateway();
  await gateway.tell(record("GPU-a", 1));
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

test("the fleet is told as it is, again and after every change", async () => {
  const first = { gpus: [{ uuid: "GPU-a", latest: { temperature: 1 } }] };
  expect(await answerOf(newest)).toEqual(first);
  expect(await answerOf(newest)).toEqual(first);
  await gateway.tell(record("GPU-a", 2));
  expect(await answerOf(newest)).toEqual({ gpus: [{ uuid: "GPU-a", latest: { temperature: 2 } }] });
  await gateway.tell(record("GPU-b", 3));
  expect(await answerOf(newest)).toMatchObject({ gpus: [{ uuid: "GPU-a" }, { uuid: "GPU-b" }] });
});

test("history is asked every time: it changes without the fleet", async () => {
  const history = '{ gpu(uuid: "GPU-a") { telemetry { temperature } } }';
  expect(await answerOf(history)).toEqual({ gpu: { telemetry: [] } });
  await gateway.store(record("GPU-a", 1));
  expect(await answerOf(history)).toEqual({ gpu: { telemetry: [{ temperature: 1 }] } });
});

test("what is wrong is not kept as an answer", async () => {
  const wrong = await (await ask("{ gpus(limit: 0) { uuid } }")).text();
  expect(await (await ask("{ gpus(limit: 0) { uuid } }")).text()).toBe(wrong);
  expect(wrong).toContain("BAD_USER_INPUT");
});

test("the same answer comes compressed, kept or not", async () => {
  await gateway.tell(...Array.from({ length: 50 }, (_, index) => record(`GPU-many-${index}`, 4)));
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
