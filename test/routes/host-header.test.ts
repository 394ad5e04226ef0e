import { afterAll, beforeAll, expect, test } from "bun:test";
import net from "node:net";
import { upgradeRequest } from "../../dev/web-socket-frames.ts";
import { HostNames } from "../../src/kit/host-names.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";
import { listening } from "../support/listening.ts";

// fetch() always sends the Host that belongs to the address, so these tests write their requests to a socket.

const http = { rateLimitPerSecond: 0, trustsForwardedFor: false, corsOrigins: undefined };
/** These tests are about the routes behind the door; security/door.test.ts is about the hosts that it refuses. */
const door = { hosts: new HostNames({ listensOn: "127.0.0.1", own: [], allowed: ["*"] }), corsOrigins: undefined };
const host = (value: string): string => `Host: ${value}\r\n`;

/** Host headers that a proxy, a probe or a service's short name produces, and ones that are no host at all. wire/rfc9112.test.ts has
 *  those with characters that no host has. */
const hosts = [
  ...["x", "gw", "api", "a:1", "db:1", "[::1]", "[::1]:8080", "1", "api.example.com:8080"],
  ...["", " ", "a:99999", ":80", "[::1", "999.1.1.1", ".."],
];

const paths = [
  ...["/health", "/health/live", "/health/ready"],
  ...["/api/v1/gpus", "/api/v1/gpus?limit=1", "/api/v1/hosts?limit=1", "/api/v1/gpus?hostname=host%2Da"],
  ...[
    "/api/v1/gpus/GPU-host-a-0",
    "/api/v1/clusters/alpha/hosts/host-a/gpus",
    "/api/v1/gpus/../gpus?limit=2",
    "/api/v1/%2e/gpus/",
    "/api/v1/gpus/é",
  ],
  ...["/graphql?query={gpus{edges{node{uuid}}}}", "/swagger", "/swagger/", "/swagger/swagger.json", "/docs"],
  ...["/api/v1/none", "/ws", "/a", "/", "//api/v1/gpus", "/?/api/v1/gpus", "/api/v1/gpus?cursor=http://x/"],
];

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let port: number;

beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored, { door });
  port = await listening(gateway);
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
});

/** Sends a request as these bytes. @returns the answer, when the server has closed the connection or upgraded it */
function send(request: string, to = port): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(to, "127.0.0.1", () => socket.write(request));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
      if (answer.startsWith("HTTP/1.1 101") && answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

const get = (target: string, headers: string, version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\n${headers}Connection: close\r\n\r\n`;

/** The answer's status, location and body, without what differs from answer to answer. */
function gist(answer: string): unknown {
  const [head = "", ...body] = answer.split("\r\n\r\n");
  const location = /^location: .*$/im.exec(head)?.[0];
  return { status: head.split(" ")[1], location, body: body.join("").replace(/"uptime_seconds":\d+/, "") };
}

async function expectSameAnswers(variants: (path: string) => readonly string[]): Promise<void> {
  for (const path of paths) {
    const expected = gist(await send(get(path, host("localhost"))));
    for (const request of variants(path)) expect([request, gist(await send(request))]).toEqual([request, expected]);
  }
}

test("a Host of up to three characters, or one that is no host, gets the same answers as any other", async () => {
  await expectSameAnswers((path) => hosts.map((value) => get(path, host(value))));
});

test("a request of HTTP/1.0 without Host gets the same answers as any other", async () => {
  await expectSameAnswers((path) => [get(path, "", "1.0"), get(path, host("x"), "1.0")]);
});

test("a target in absolute form gets the same answers as its path, whichever Host comes with it", async () => {
  const origins = [
    "http://x",
    "https://x",
    "HTTP://api:1",
    "http://api.example.com:8080",
    "http://[::1]",
    "http://u:p@x",
  ];
  const headers = ["x", "", "api.example.com", "a:99999"].map(host);
  await expectSameAnswers((path) =>
    origins.flatMap((origin) => headers.map((header) => get(`${origin}${path}`, header))),
  );
});

test("a fragment after the target changes no answer, whichever Host comes with it", async () => {
  const fragments = ["#", "#x", "#/metrics", "#/../../metrics?limit=2", "#a#b"];
  const headers = ["localhost", "x", "", "a:99999"].map(host);
  await expectSameAnswers((path) =>
    headers.flatMap((header) => [
      ...fragments.map((fragment) => get(path + fragment, header)),
      get(`http://h${path}#x`, header),
    ]),
  );
  for (const target of ["http://h", "http://h#x", "http://h?x#y"]) {
    expect([target, gist(await send(get(target, host("localhost"))))]).toEqual([
      target,
      gist(await send(get("/", host("localhost")))),
    ]);
  }
});

test("a query without a path, an empty target and one that is no path are refused", async () => {
  for (const target of ["?", "?a=1", "#x", "", "*", "health", "http:health", "ftp://h/health"]) {
    expect([target, (await send(get(target, host("localhost")))).slice(0, 12)]).toEqual([target, "HTTP/1.1 400"]);
  }
});

test("a process without a gateway answers /health and /metrics under every Host, and with a fragment", async () => {
  const collector = gatewayOver(stored, { door, fleet: undefined });
  const collectorPort = await listening(collector);
  for (const header of hosts.map(host)) {
    for (const target of ["/health/live", "/health/live#x", "/metrics#/health", "http://h/metrics#x"]) {
      const answer = await send(get(target, header), collectorPort);
      expect([header, target, answer.slice(0, 12)]).toEqual([header, target, "HTTP/1.1 200"]);
    }
  }
  await collector.app.stop(true);
});

test("/metrics answers, and counts requests by their route, under a Host of one character and without Host", async () => {
  const requests: number[] = [];
  for (const request of [get("/metrics", host("x")), get("/metrics", host("")), get("/metrics", "", "1.0")]) {
    const gpusPath = "/api/v1/clusters/alpha/hosts/host-a/gpus";
    await send(request.replace("/metrics", gpusPath));
    const answer = await send(request);
    expect(answer.slice(0, 12)).toBe("HTTP/1.1 200");
    const counted =
      /_count\{method="GET",route="\/api\/v1\/clusters\/:\w+\/hosts\/:\w+\/gpus",status="200"\} (\d+)/.exec(answer);
    requests.push(Number(counted?.[1]));
  }
  const [first = NaN] = requests;
  expect(requests).toEqual([first, first + 1, first + 2]);
});

test("a Host of up to three characters does not change what POST, HEAD, OPTIONS and CONNECT are answered", async () => {
  const body = JSON.stringify({ query: "{ gpus { edges { node { uuid } } } }" });
  const heads = [
    `POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`,
    ...["HEAD", "OPTIONS", "POST", "DELETE"].map((method) => `${method} /api/v1/gpus HTTP/1.1\r\n`),
    "HEAD /graphql?query={__typename} HTTP/1.1\r\n",
    "CONNECT db:1 HTTP/1.1\r\n",
  ];
  for (const head of heads) {
    const request = (value: string): string =>
      `${head}${host(value)}Connection: close\r\n\r\n${head.includes("content-length") ? body : ""}`;
    const expected = gist(await send(request("localhost")));
    for (const value of hosts) expect([head, value, gist(await send(request(value)))]).toEqual([head, value, expected]);
  }
  expect(await send(`CONNECT db:1 HTTP/1.1\r\n${host("db:1")}Connection: close\r\n\r\n`)).toStartWith("HTTP/1.1 405");
});

test("a client's requests are limited under every Host and without one; probes of /health and /metrics are not", async () => {
  for (const headers of [host("x"), host("db:1"), host(""), host("a:99999")]) {
    const limited = gatewayOver(stored, { door, http: { ...http, rateLimitPerSecond: 2 } });
    const limitedPort = await listening(limited);
    const statuses = async (path: string): Promise<string[]> => {
      const answers = Array.from({ length: 4 }, () => send(get(path, headers), limitedPort));
      return (await Promise.all(answers)).map((answer) => answer.slice("HTTP/1.1 ".length, 12)).sort();
    };
    expect([headers, await statuses("/api/v1/gpus")]).toEqual([headers, ["200", "200", "429", "429"]]);
    expect(await statuses("/health/ready")).toEqual(["200", "200", "200", "200"]);
    expect(await statuses("/metrics")).toEqual(["200", "200", "200", "200"]);
    await limited.app.stop(true);
  }
});

test("/ws and the sockets of /graphql open under a Host of up to three characters and with an empty one", async () => {
  for (const value of ["x", "api", "a:1", "[::1]", "", "a:99999"]) {
    const request = upgradeRequest.replace("Host: localhost\r\n", host(value));
    expect(await send(request)).toStartWith("HTTP/1.1 101");
    const graphql = request.replace(
      "GET /ws HTTP/1.1\r\n",
      "GET /graphql HTTP/1.1\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n",
    );
    expect(await send(graphql)).toStartWith("HTTP/1.1 101");
  }
});
