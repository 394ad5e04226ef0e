import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { makeDataDir } from "../../dev/empty-store.ts";
import { openssl, TestAuthority, type TestCertificate } from "./test-authority.ts";

// A real gateway with TLS and client certificates, as its users reach it.

const dir = mkdtempSync(join(tmpdir(), "telemetry-mtls-"));
const key = `gtp_first_${"k".repeat(43)}`;
const mappingFile = join(dir, "mapping.json");
const entries = [
  { certificate: "CN=grafana", scopes: ["read"] },
  { certificate: "dns:prometheus.example", scopes: ["read"] },
  { certificate: "uri:spiffe://acme/team-a", scopes: ["read"] },
];

describe.skipIf(openssl === null)("client certificates (needs openssl)", () => {
  let gateway: PipelineProcess;
  let url = "";
  let authority: TestAuthority;
  let other: TestAuthority;
  const as: Record<string, TestCertificate> = {};

  beforeAll(async () => {
    authority = TestAuthority.make(dir, "ca");
    other = TestAuthority.make(dir, "other");
    const own = authority.issue("own");
    writeFileSync(mappingFile, JSON.stringify(entries));
    await makeDataDir(join(dir, "data"));
    gateway = startPipeline({
      ...{ ROLE: "gateway", DATA_DIR: join(dir, "data"), AUTH_BOOTSTRAP_KEY: key, CORS_ORIGINS: "*" },
      ...{ TLS_CERT_FILE: own.certFile, TLS_KEY_FILE: own.keyFile, AUTH_CLIENT_CA_FILE: authority.certFile },
      AUTH_MAPPING_FILE: mappingFile,
    });
    as["grafana"] = authority.issue("grafana", { subject: "/O=acme/CN=grafana" });
    as["prometheus"] = authority.issue("prometheus", { names: ["DNS:Prometheus.Example"] });
    as["team"] = authority.issue("team", { subject: "/O=acme", names: ["URI:spiffe://acme/team-a"] });
    as["unmapped"] = authority.issue("unmapped");
    as["expired"] = authority.issue("expired", { subject: "/CN=grafana", days: 0 });
    as["foreign"] = other.issue("foreign", { subject: "/CN=grafana" });
    as["deceiving"] = authority.issue("deceiving", { names: ["DNS:x.example, URI:spiffe://acme/team-a"] });
    url = await urlOf(gateway);
  }, 180_000);
  afterAll(async () => {
    await stopPipeline(gateway, "SIGKILL");
    rmSync(dir, { recursive: true });
  });

  const tlsOf = (name: string | undefined) => {
    const shown = name === undefined ? undefined : as[name];
    return { ca: authority.cert, ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }) };
  };
  const asked = async (name: string | undefined, path = "/api/v1/me", init: RequestInit = {}) => {
    const answer = await fetch(`${url}${path}`, { ...init, tls: tlsOf(name), keepalive: false });
    return { status: answer.status, body: (await answer.json()) as { data?: object; error?: { message: string } } };
  };

  test("the subject's or an alternative name in the mapping file says what a client may do", async () => {
    expect(await asked("grafana")).toMatchObject({
      status: 200,
      body: { data: { kind: "certificate", name: "O=acme, CN=grafana", scopes: ["read"] } },
    });
    expect(await asked("prometheus", "/api/v1/gpus")).toMatchObject({ status: 200 });
    expect(await asked("team")).toMatchObject({ body: { data: { id: "certificate:O=acme", scopes: ["read"] } } });
    const refused = await asked("grafana", "/api/v1/pipeline/dead-letters/x", { method: "DELETE" });
    expect([refused.status, refused.body.error?.message]).toEqual([
      403,
      expect.stringMatching(/^The certificate of "O=acme, CN=grafana" has the scope read; this needs operate/),
    ]);
  });

  test("a certificate is enough for the tools at /mcp, whose requests have no connection of their own", async () => {
    const params = { name: "list_gpus", arguments: {} };
    const answer = await fetch(`${url}/mcp`, {
      ...{ method: "POST", tls: tlsOf("grafana"), keepalive: false },
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("0 devices in all")]);
  });

  test.each([
    [undefined, /^This needs a key; send it/],
    [
      "unmapped",
      /client certificate of CN=unmapped, dns:localhost has expired, or AUTH_MAPPING_FILE grants nothing to it/,
    ],
    ["expired", /client certificate is not accepted \(CERT_HAS_EXPIRED\)/],
    ["foreign", /client certificate is not accepted \(/],
    ["deceiving", /AUTH_MAPPING_FILE grants nothing/],
  ])("the certificate %p opens nothing, and the answer says why", async (name, problem) => {
    const { status, body } = await asked(name);
    expect([status, body.error?.message]).toEqual([401, expect.stringMatching(problem)]);
  });

  test("a key counts before the certificate, and a proxy's certificate and another page's request do not count", async () => {
    const withKey = await asked("grafana", "/api/v1/me", { headers: { authorization: `Bearer ${key}` } });
    expect(withKey.body).toMatchObject({ data: { kind: "key" } });
    const wrong = await asked("grafana", "/api/v1/me", { headers: { authorization: "Bearer gtp_x_y" } });
    expect(wrong.body.error?.message).toStartWith("The key is not valid");
    expect((await asked("grafana", "/api/v1/me", { headers: { "x-forwarded-for": "10.0.0.9" } })).status).toBe(401);
    expect((await asked("grafana", "/api/v1/me", { headers: { origin: "https://evil.example" } })).status).toBe(401);
  });

  test("the command line reaches the gateway with its authority and its own certificate", async () => {
    const { certFile, keyFile } = as["grafana"] ?? {};
    const env = {
      TELEMETRY_CA_FILE: authority.certFile,
      TELEMETRY_CERT_FILE: certFile,
      TELEMETRY_CERT_KEY_FILE: keyFile,
    };
    const run = async (more: Record<string, string | undefined>) => {
      const command = [process.execPath, "scripts/telemetry.ts", "--url", url, "--json", "gpus"];
      const child = Bun.spawn(command, { env: { PATH: process.env["PATH"], ...more }, stdout: "pipe", stderr: "pipe" });
      const [output, errors] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return [await child.exited, output.trim(), errors];
    };
    const [trusting, alone] = await Promise.all([run(env), run({})]);
    expect(trusting).toEqual([0, "[]", ""]);
    expect(alone).toEqual([2, "", expect.stringContaining("certificate")]);
  });

  test("a certificate that the mapping file no longer has ends its sockets", async () => {
    const socket = new WebSocket(`${url.replace("https", "wss")}/ws`, { tls: tlsOf("grafana") });
    const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
    await new Promise((resolve) => (socket.onopen = resolve));
    writeFileSync(mappingFile, JSON.stringify(entries.slice(1)));
    expect(await closed).toBe(1008);
    await until(async () => (await asked("grafana")).status === 401);
    expect((await asked("prometheus", "/api/v1/gpus")).status).toBe(200);
  });
});
