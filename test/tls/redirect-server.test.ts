import { afterAll, expect, test } from "bun:test";
import { HostNames } from "../../src/kit/host-names.ts";
import { serveRedirects } from "../../src/tls/redirect-server.ts";

const hosts = new HostNames({ listensOn: "127.0.0.1", own: [], allowed: ["gpus.example.org"] });
const server = serveRedirects({ host: "127.0.0.1", port: 0, hosts, tlsPort: 8443 });
afterAll(() => server.stop(true));

/** The status, and where the answer leads or its error. */
async function answerTo(path: string, init: RequestInit = {}): Promise<readonly [number, string | null]> {
  const headers = { host: "gpus.example.org:8080", ...(init.headers as Record<string, string>) };
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { redirect: "manual", ...init, headers });
  const location = response.headers.get("location");
  return [response.status, location ?? ((await response.json()) as { error: { code: string } }).error.code];
}

test("without TLS, a browser's visit is led to TLS, and what has a key or changes something is refused", async () => {
  const to = (path: string) => `https://gpus.example.org:8443${path}`;
  expect(await answerTo("/docs?x=%C3%A9")).toEqual([308, to("/docs?x=%C3%A9")]);
  expect(await answerTo("/docs", { method: "HEAD" })).toEqual([308, to("/docs")]);
  expect(await answerTo("//evil.example/x")).toEqual([308, to("/evil.example/x")]);
  expect(await answerTo("/api/v1/gpus", { headers: { authorization: "Bearer x" } })).toEqual([403, "tls_required"]);
  expect(await answerTo("/ws?ticket=abc")).toEqual([403, "tls_required"]);
  expect(await answerTo("/graphql", { method: "POST", body: "{}" })).toEqual([403, "tls_required"]);
  expect(await answerTo("/", { headers: { host: "evil.example" } })).toEqual([421, "host_not_allowed"]);
});
