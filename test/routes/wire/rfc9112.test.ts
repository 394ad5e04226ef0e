import { afterAll, beforeAll, expect, test } from "bun:test";
import { bodyOf, openRawGateway, type RawGateway, statusOf } from "./raw-gateway.ts";

// Requests as bytes, because no client sends them: https://www.rfc-editor.org/rfc/rfc9112

let gateway: RawGateway;
beforeAll(async () => void (gateway = await openRawGateway()));
afterAll(() => gateway.close());

const end = "Connection: close\r\n\r\n";
const get = (target: string, headers = "Host: localhost\r\n", version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\n${headers}${end}`;
const query = JSON.stringify({ query: "{__typename}" });
const post = (headers: string, body: string, path = "/graphql"): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}${end}${body}`;
const chunk = `${query.length.toString(16)}\r\n${query}\r\n`;

/** What an answer must never show. */
const internals = /node_modules|\.ts\b|\bat .+:\d+:\d+|<html|Bun v|Error:/i;

async function expectStatus(request: string, status: number): Promise<string> {
  const answer = await gateway.send(request);
  expect([request, statusOf(answer)]).toEqual([request, status]);
  expect([request, internals.exec(answer)]).toEqual([request, null]);
  return answer;
}

test("several Hosts, and a Host that is no host, are refused for every path; so is HTTP/1.1 without Host (3.2)", async () => {
  const values = ["a#b", "#", "x#", "?", "a?b", "a#b?c", "a/b", "#/health", "a?/metrics", "a\\b"];
  const hosts = [...values, "a\tb", "a b", "a,b", "a@b", "http://a", "\u00e9"].map((value) => `Host: ${value}\r\n`);
  const several = ["Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: \r\nHost: a\r\n"];
  for (const headers of [...hosts, ...several]) {
    for (const path of ["/health/live", "/api/v1/gpus", "/none", "/graphql?query={__typename}"]) {
      expect(bodyOf(await expectStatus(get(path, headers), 400))).toContain('"invalid_host"');
    }
  }
  await expectStatus(get("/health/live", ""), 400);
});

test("a path is the same with and without encoding of what needs none (RFC 3986 6.2.2.2)", async () => {
  const plain = bodyOf(await gateway.send(get("/api/v1/gpus?limit=1")));
  for (const path of [
    "/api/v1/%67pus",
    "/%61pi/v1/gpus",
    "/api/%761/gp%75s",
    "/api/v%31/gpus",
    "/api/x/%2e%2E/v1/gpus",
  ])
    expect([path, bodyOf(await gateway.send(get(`${path}?limit=1`)))]).toEqual([path, plain]);
  const gpu = bodyOf(await expectStatus(get("/api/v1/gpus/GPU-host-a-0"), 200));
  expect(bodyOf(await gateway.send(get("/api/v1/gpus/GPU%2Dhost%2da%2D%30")))).toBe(gpu);
});

test("an encoded slash is no slash, a broken encoding is refused, and neither makes another encoding", async () => {
  for (const path of ["/api%2fv1/gpus", "/health%2Flive", "/%", "/%zz", "/%00", "/sw%2561gger", "/%2%35"])
    await expectStatus(get(path), 404);
  for (const path of ["%", "%ff", "%c3%28", "%00", "%e0%80%af", "a%2%35"])
    await expectStatus(get(`/api/v1/gpus/${path}`), 400);
  for (const path of ["/api/v1/clusters/%/hosts/%/gpus/%", "/api/v1/faults/%", "/api/v1/gpus?%=1"])
    await expectStatus(get(path), 400);
});

test("a method that the path does not have is refused with those that it has; TRACE repeats nothing", async () => {
  for (const method of ["TRACE", "PROPFIND", "M-SEARCH", "PATCH", "CONNECT", "QUERY"]) {
    const request = get("/api/v1/gpus", "Host: localhost\r\nX-Secret: 4711\r\n").replace("GET", method);
    const answer = await expectStatus(request, 405);
    expect(answer).toMatch(/^allow: GET, HEAD, OPTIONS\r$/im);
    expect(answer).not.toContain("4711");
  }
  for (const method of ["G@T", "GE T"]) await expectStatus(get("/health/live").replace("GET", method), 400);
});

test("a body in chunks is read, with extensions and in parts (7.1)", async () => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  const extended = chunk.replace("\r\n", ';a=b;c="d"\r\n');
  for (const body of [`${chunk}0\r\n\r\n`, `${extended}0\r\n\r\n`]) await expectStatus(post(chunked, body), 200);
  const parts = await gateway.send(post(chunked, chunk.slice(0, 9)), chunk.slice(9), "0\r\n", "\r\n");
  expect(bodyOf(parts)).toContain('"__typename":"Query"');
});

test("a body whose length is not certain is refused (6.1, 6.3)", async () => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  for (const [headers, body] of [
    [`Content-Length: 5\r\n${chunked}`, `${chunk}0\r\n\r\n`],
    ["Content-Length: 5\r\nContent-Length: 6\r\n", query],
    ["Content-Length: -5\r\n", query],
    ["Content-Length: +5\r\n", query],
    ["Content-Length: 5x\r\n", query],
    ["Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"],
    ["Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"],
    [chunked, `zz\r\n${query}\r\n0\r\n\r\n`],
    [chunked, `-5\r\n${query}\r\n0\r\n\r\n`],
  ] as const)
    await expectStatus(post(headers, body), 400);
  await expectStatus(post(chunked, `${chunk}0\r\n\r\n`).replace("HTTP/1.1", "HTTP/1.0"), 400);
});

test("malformed header lines and versions are refused (2.3, 2.2, 5.1, 5.2)", async () => {
  const broken = [
    "Host : a\r\nHost: b\r\n",
    "Host: a\r\nX-A: 1\r\n 2\r\n",
    "Host: a\r\nX-A: a\0b\r\n",
    "Host: a\r\nno colon\r\n",
  ];
  for (const headers of broken) await expectStatus(get("/health/live", headers), 400);
  for (const version of ["2.0", "1.2", "0.9"]) await expectStatus(get("/health/live", undefined, version), 505);
  await expectStatus(get("/health/live", `Host: a\r\nX-A: ${"a".repeat(40_000)}\r\n`), 431);
});

test("a body that a path does not need is not waited for", async () => {
  for (const path of ["/none", "/api/v1/quarantine/1/redrive"]) {
    const startedMs = performance.now();
    const answer = await gateway.send(post("Content-Length: 100\r\n", "{", path));
    expect(statusOf(answer)).toBeGreaterThanOrEqual(400);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  }
});

test("none of these requests is an error of the gateway, and an error would not be shown with its stack", () => {
  expect([gateway.errors(), gateway.isInDevelopment]).toEqual([[], false]);
});
