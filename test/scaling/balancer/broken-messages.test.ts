import { expect, test } from "bun:test";
import pino from "pino";
import { until } from "../../../dev/until.ts";
import { before, errorOf, fakeGateway, rawClient, stopAfterTest } from "./fake-gateway.ts";
import { openBalancer } from "./open-balancer.ts";
import { exchange, rawGateway } from "./raw-gateway.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

// Requests and responses that are ambiguous, or end too early.

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

test("a response whose gateway dies in the middle is cut, and never ends as a whole one does", async () => {
  const starts = [
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    `Content-Length: 100000\r\n\r\n${"x".repeat(50_000)}`,
  ];
  for (const start of starts) {
    for (const end of ["end", "terminate"] as const) {
      const gateway = rawGateway((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${start}`);
        setTimeout(() => socket[end](), 50);
      });
      const { url } = await before(gateway);
      const answer = await exchange(url, get);
      expect(answer).toStartWith("HTTP/1.1 200 OK");
      expect(answer).toContain("Transfer-Encoding: chunked");
      expect(answer).not.toEndWith("0\r\n\r\n");
      expect(gateway.received).toHaveLength(1);
    }
  }
});

test("a GET whose short response is cut gets a whole one from another gateway", async () => {
  const cut = rawGateway((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    setTimeout(() => socket.terminate(), 20);
  });
  const { url } = await before(
    cut,
    fakeGateway(() => new Response("whole")),
  );
  for (let i = 0; i < 20; i += 1) expect(await (await fetch(url)).text()).toBe("whole");
  expect(cut.received.length).toBeGreaterThan(0);
});

test("a change on a kept connection is not sent again when its gateway dies", async () => {
  const gateway = rawGateway((socket) => {
    if (socket.data.requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else socket.terminate();
  });
  const { url } = await before(gateway);
  const post = () => fetch(url, { method: "POST", body: "x" });
  expect((await post()).status).toBe(200);
  expect(await errorOf(await post())).toEqual([502, "gateway_failed"]);
  expect(gateway.received).toHaveLength(2);
});

test("an upload whose client goes away in the middle does not reach the gateway as a whole one", async () => {
  const gateway = rawGateway(() => undefined);
  const { url } = await before(gateway);
  const client = await rawClient(url);
  client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
  await until(() => gateway.received.join("").includes("abcde"));
  client.terminate();
  await Bun.sleep(100);
  expect(gateway.received.join("")).not.toContain("0\r\n\r\n");
});

test("a request that two servers could read differently gets 400, and no gateway gets a part of it", async () => {
  const gateway = rawGateway((socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const { url } = await before(gateway);
  const chunked = "Transfer-Encoding: chunked";
  const smuggled = `0\r\n\r\n${get}`;
  const headers = [
    `Host: x\r\nContent-Length: 4\r\n${chunked}`,
    `Host: x\r\n${chunked}\r\nContent-Length: 4`,
    "Host: x\r\nContent-Length: 2\r\nContent-Length: 5",
    "Host: x\r\nContent-Length: +5",
    "Host: x\r\nTransfer-Encoding: xchunked",
    `Host: x\r\n${chunked}\r\nTransfer-Encoding: identity`,
    `Host: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 5`,
    `Host: x\r\nX: y\r\n ${chunked}\r\nContent-Length: 5`,
    "Host: x\r\nHost: y",
    "Host: x/y?z#",
    "Host: x y",
  ];
  for (const lines of headers) {
    const answer = await exchange(url, `POST / HTTP/1.1\r\nConnection: close\r\n${lines}\r\n\r\n${smuggled}`);
    expect(`${lines}: ${answer.slice(0, 12)}`).toBe(`${lines}: HTTP/1.1 400`);
  }
  expect(gateway.received).toEqual([]);
  await exchange(
    url,
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: content-length\r\nContent-Length: ${get.length}\r\n\r\n${get}`,
    "ok",
  );
  expect(gateway.received.join("")).toContain(`Content-Length: ${get.length}\r\n\r\n${get}`);
});

test("without a gateway, the log says once that requests get 503, and once that a gateway answers again", async () => {
  const messages: string[] = [];
  const log = pino(
    { serializers: logSerializers },
    { write: (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const gateway = fakeGateway(() => new Response("back"));
  const balancer = await openBalancer([], { log });
  stopAfterTest(balancer.stop);
  for (let i = 0; i < 20; i += 1) expect((await fetch(balancer.url)).status).toBe(503);
  balancer.list([{ name: "one", url: gateway.url, isDraining: false }]);
  await until(async () => (await fetch(balancer.url)).status === 200);
  await fetch(balancer.url);
  expect(messages.filter((message) => message.includes("requests"))).toEqual([
    "requests get 503: no gateway answers",
    "a gateway gets requests again",
  ]);
});
