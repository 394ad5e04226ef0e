import { expect, test } from "bun:test";
import { until } from "../../../dev/until.ts";
import { type Answer, before, errorOf, fakeGateway, rawClient, stopAfterTest } from "./fake-gateway.ts";
import { openBalancer } from "./open-balancer.ts";

// HTTP through a balancer, before servers that behave as gateways can behave.

test("status, headers and compressed bodies pass unchanged, with the client's address for the gateway", async () => {
  const compressed = Bun.gzipSync("text ".repeat(100));
  const headers = { "content-encoding": "gzip", "content-type": "text/csv", etag: '"7"', "x-one": "1" };
  const gateway = fakeGateway(() => new Response(compressed, { status: 207, headers }));
  const { url } = await before(gateway);
  const response = await fetch(`${url}/a%2Fb?q=1`, {
    decompress: false,
    headers: { "x-forwarded-for": "10.0.0.1", host: "pipeline.example" },
  });
  expect(response.status).toBe(207);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    ...headers,
    "content-length": String(compressed.length),
  });
  expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(compressed));
  const [request] = gateway.requests;
  expect(request?.headers.get("x-forwarded-for")).toBe("10.0.0.1, 127.0.0.1");
  expect(request?.headers.get("host")).toBe("pipeline.example");
});

test("HEAD, OPTIONS and refusals of a gateway pass unchanged", async () => {
  const gateway = fakeGateway(({ method }) =>
    method === "HEAD"
      ? new Response("twelve bytes", { headers: { "x-head": "1" } })
      : Response.json({ success: false }, { status: method === "PUT" ? 405 : 413, headers: { allow: "GET" } }),
  );
  const { url } = await before(gateway);
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), head.headers.get("x-head")]).toEqual([200, "12", "1"]);
  const put = await fetch(url, { method: "PUT", body: "x" });
  expect([put.status, put.headers.get("allow"), await put.json()]).toEqual([405, "GET", { success: false }]);
  const post = await fetch(url, { method: "POST", body: "x".repeat(5_000_000) });
  expect([post.status, await post.json()]).toEqual([413, { success: false }]);
});

test("bodies of every size and framing reach the gateway whole", async () => {
  const gateway = fakeGateway(async (request) => new Response(await request.arrayBuffer()));
  const { url } = await before(gateway);
  for (const size of [0, 1, 300_000, 5_000_000]) {
    const body = Buffer.alloc(size, "ab");
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(body);
        controller.close();
      },
    });
    for (const sent of [body, stream]) {
      const response = await fetch(url, { method: "POST", body: sent });
      expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
    }
  }
});

test("a body that is larger than a server's usual limit is passed on as it comes", async () => {
  const gateway = fakeGateway(async (request) => {
    let bytes = 0;
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length;
    return new Response(String(bytes));
  });
  const { url } = await before(gateway);
  const mebibyte = new Uint8Array(1024 * 1024);
  let left = 130;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(mebibyte) : controller.close()),
  });
  const headers = { "content-length": String(130 * mebibyte.length) };
  expect(await (await fetch(url, { method: "POST", body, headers })).text()).toBe(String(130 * mebibyte.length));
});

test("without a gateway that answers, the error is in the envelope of the API", async () => {
  const balancer = await openBalancer(["http://127.0.0.1:9"], { ready: 0 });
  stopAfterTest(balancer.stop);
  const response = await fetch(`${balancer.url}/api/v1/gpus`);
  expect(response.headers.get("retry-after")).toBe("1");
  expect(await errorOf(response)).toEqual([503, "no_gateway"]);
  const status = (await (await fetch(`${balancer.url}/balancer/status`)).json()) as object;
  expect(status).toMatchObject({ backends: [{ url: "http://127.0.0.1:9", state: "DOWN", open: 0 }] });
});

test("a request that a gateway refused to connect is sent to another one, with its body", async () => {
  const gateways = [0, 1].map(() => fakeGateway(async (request) => new Response(await request.text())));
  const { url } = await before(...gateways);
  await gateways[0]?.stop();
  for (let i = 0; i < 10; i += 1) {
    expect(await (await fetch(url, { method: "POST", body: `body ${i}` })).text()).toBe(`body ${i}`);
  }
});

test("a change whose gateway died before it answered is not sent again; a GET is", async () => {
  const served: string[] = [];
  const listener = (name: string) => {
    const server = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: {
        data(socket, data) {
          const text = data.toString();
          if (text.startsWith("GET /health/ready"))
            return void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
          served.push(`${name} ${text.split(" ")[0]}`);
          socket.terminate();
        },
      },
    });
    stopAfterTest(() => server.stop(true));
    return { url: `http://127.0.0.1:${server.port}`, requests: [], stop: () => Promise.resolve() };
  };
  const { url } = await before(listener("a"), listener("b"));
  expect(await errorOf(await fetch(url, { method: "POST", body: "x" }))).toEqual([502, "gateway_failed"]);
  expect(served).toHaveLength(1);
  served.length = 0;
  expect(await errorOf(await fetch(url))).toEqual([502, "gateway_failed"]);
  expect(new Set(served)).toEqual(new Set(["a GET", "b GET"]));
});

test("a gateway that is not ready or drains gets requests only while no other answers", async () => {
  let status = 200;
  const [one, two] = [
    fakeGateway(
      () => new Response("one"),
      () => status,
    ),
    fakeGateway(() => new Response("two")),
  ];
  const { url, backends, list } = await before(one, two);
  const texts = async () => {
    const all = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(url)).text()));
    return [...new Set(all)].sort();
  };
  expect(await texts()).toEqual(["one", "two"]);
  status = 503;
  await until(() => backends.list()[0]?.state === "UNREADY");
  expect(await texts()).toEqual(["two"]);
  list([one, two].map(({ url }) => ({ name: url, url, isDraining: url === two.url })));
  expect(await texts().then(([first]) => first)).toBeDefined();
  status = 200;
  await until(() => backends.list()[0]?.state === "READY");
  expect(await texts()).toEqual(["one"]);
  list([{ name: "two", url: two.url, isDraining: false }]);
  expect(await texts()).toEqual(["two"]);
  expect(backends.list()).toHaveLength(1);
});

test("a gateway that is too slow for checks still gets requests while no other answers", async () => {
  let hangs = false;
  const slow = fakeGateway(
    () => new Response("slow"),
    () => (hangs ? Bun.sleep(10_000).then(() => 200) : 200),
  );
  const { url, backends } = await before(slow);
  hangs = true;
  await until(() => backends.list()[0]?.state !== "READY", { timeoutMs: 10_000 });
  expect(backends.list()[0]?.state).toBe("UNREADY");
  expect(await (await fetch(url)).text()).toBe("slow");
});

test("the gateway with fewer open requests gets the next one", async () => {
  const held = Promise.withResolvers<void>();
  const answer =
    (name: string): Answer =>
    async (request) => {
      if (new URL(request.url).pathname === "/held") await held.promise;
      return new Response(name);
    };
  const { url, backends } = await before(fakeGateway(answer("one")), fakeGateway(answer("two")));
  const holding = fetch(`${url}/held`).then((response) => response.text());
  await until(() => backends.list().some(({ open }) => open === 1));
  const texts = [];
  for (let i = 0; i < 6; i += 1) texts.push(await (await fetch(url)).text());
  held.resolve();
  expect(new Set(texts)).toEqual(new Set([(await holding) === "one" ? "two" : "one"]));
  expect(backends.list().map(({ open }) => open)).toEqual([0, 0]);
});

test("a large body is streamed only as fast as its client reads, and its request counts until the client has gone", async () => {
  let produced = 0;
  const gateway = fakeGateway(() => {
    const chunk = new Uint8Array(65_536);
    return new Response(
      new ReadableStream({
        pull(controller) {
          produced += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
  });
  const { url, backends } = await before(gateway);
  const client = await rawClient(url);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.pause();
  await until(() => produced > 0);
  await until(async () => {
    const soFar = produced;
    await Bun.sleep(300);
    return produced === soFar;
  });
  expect(produced).toBeLessThan(64 * 1024 * 1024);
  expect(backends.list()[0]?.open).toBe(1);
  client.end();
  client.resume();
  await until(() => backends.list()[0]?.open === 0);
});
