import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { AnswerMemory } from "../../../src/pipeline/source/exporter/answer-memory.ts";
import {
  ScrapeClient,
  type ScrapeClientOptions,
  type ScrapeSecurity,
} from "../../../src/pipeline/source/exporter/scrape-client.ts";
import { explainStatus, explainTimeout, ScrapeFailed } from "../../../src/pipeline/source/exporter/scrape-failed.ts";
import { type Answering, exposition, startExporter } from "./exporter-server.ts";
import { startRawServer } from "./raw-server.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const noSecurity: ScrapeSecurity = {
  tls: () => ({}),
  insecure: false,
  authorization: () => Promise.resolve(undefined),
};
const never = new AbortController().signal;

function openClient(options: Partial<ScrapeClientOptions> = {}): ScrapeClient {
  const memory = new AnswerMemory(64 * 1024 * 1024);
  const client = new ScrapeClient({
    timeoutMs: 2000,
    maxBytes: 1024 * 1024,
    memory,
    security: noSecurity,
    ...options,
  });
  closing.push(() => client.close());
  return client;
}

function serve(answering: Answering, hostname?: string) {
  const server = startExporter(answering, hostname === undefined ? {} : { hostname });
  closing.push(() => server.close());
  return { ...server, url: `http://${server.address}/metrics` };
}

async function serveRaw(text: string | Uint8Array, end = true): Promise<string> {
  const server = await startRawServer((socket) => (end ? socket.end(text) : socket.write(text)));
  closing.push(() => server.close());
  return `http://${server.address}/metrics`;
}

const textOf = async (client: ScrapeClient, url: string): Promise<string> =>
  new TextDecoder().decode((await client.scrape(url, never)).bytes);

async function failureOf(client: ScrapeClient, url: string, signal = never): Promise<[string, string]> {
  try {
    return ["no failure", new TextDecoder().decode((await client.scrape(url, signal)).bytes)];
  } catch (error) {
    expect(error).toBeInstanceOf(ScrapeFailed);
    const { reason, message } = error as ScrapeFailed;
    return [reason, message];
  }
}

describe("an answer is read", () => {
  test("that is compressed; the request names the formats and the time limit", async () => {
    const server = serve(exposition("up 1\n"));
    expect(await textOf(openClient(), server.url)).toBe("up 1\n");
    const { headers } = server.requests[0] as Request;
    expect(headers.get("accept")).toStartWith("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0");
    expect(headers.get("accept-encoding")).toBe("gzip");
    expect(headers.get("x-prometheus-scrape-timeout-seconds")).toBe("2");
  });

  test("from an IPv6 address", async () => {
    expect(await textOf(openClient(), serve(exposition("up 1\n"), "::1").url)).toBe("up 1\n");
  });

  test("in another character set, which is converted", async () => {
    const latin1 = (): Response =>
      new Response(Buffer.from('up{city="Zürich"} 1\n', "latin1"), {
        headers: { "content-type": "text/plain; charset=iso-8859-1" },
      });
    expect(await textOf(openClient(), serve(latin1).url)).toBe('up{city="Zürich"} 1\n');
  });

  test.each([
    ["utf-16le", "\u{FEFF}"],
    ["utf-16be", "\u{FEFF}"],
  ] as const)("in %s, which only its first bytes tell", async (charset, mark) => {
    const bytes = Buffer.from(`${mark}up{city="Zürich"} 1\n`, "utf16le");
    const body = charset === "utf-16le" ? bytes : bytes.swap16();
    const server = serve(() => new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } }));
    expect(await textOf(openClient(), server.url)).toBe('up{city="Zürich"} 1\n');
  });

  test("that is compressed without a word about it", async () => {
    const server = serve(() => new Response(gzipSync("up 1\n")));
    expect(await textOf(openClient(), server.url)).toBe("up 1\n");
  });

  test("that is OpenMetrics and ends with # EOF", async () => {
    const headers = { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" };
    const server = serve(() => new Response("up 1\n# EOF\n", { headers }));
    expect(await textOf(openClient(), server.url)).toBe("up 1\n# EOF\n");
    server.answer(() => new Response("up 1\n", { headers }));
    expect(await failureOf(openClient(), server.url)).toEqual([
      "closed_early",
      expect.stringContaining("the last line is not # EOF"),
    ]);
  });

  for (const [contentType, format] of [
    ["text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8", "text"],
    ["Text/Plain;charset=utf-8;version=0.0.4", "text"],
    ["application/openmetrics-text; version=1.0.0; charset=utf-8", "openmetrics"],
    ["APPLICATION/OpenMetrics-Text", "openmetrics"],
    ["text/plain; charset=utf-8", undefined],
    ["", undefined],
  ] as const) {
    test(`whose format is ${format ?? "not known"}, as the Content-Type ${contentType} says`, async () => {
      const headers = { "content-type": contentType };
      const { url } = serve(() => new Response(Buffer.from("up 1\n# EOF\n"), { headers }));
      expect((await openClient().scrape(url, never)).format).toBe(format as never);
    });
  }

  test("again on the same connection, and on another one if the exporter has closed it", async () => {
    let connections = 0;
    const server = await startRawServer((socket, requests) => {
      if (requests === 1) connections += 1;
      if (requests > 2) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n");
    });
    closing.push(() => server.close());
    const client = openClient();
    for (let scrape = 0; scrape < 5; scrape += 1) {
      expect(await textOf(client, `http://${server.address}/metrics`)).toBe("up 1\n");
    }
    expect(connections).toBe(3);
  });
});

describe("a scrape fails with its reason and a sentence", () => {
  const html = { headers: { "content-type": "text/html" } };
  const zeros = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const gzip = { headers: { "content-encoding": "gzip" } };
  const answers: readonly (readonly [what: string, answering: Answering, reason: string, message: RegExp])[] = [
    ["status 500", () => new Response("oops", { status: 500 }), "http_status", /^HTTP 500, after \d/],
    [
      "status 401",
      () => new Response("", { status: 401 }),
      "http_status",
      /^HTTP 401: it asks for a user and a password/,
    ],
    ["status 404", () => new Response("", { status: 404 }), "http_status", /^HTTP 404: .* another path/],
    [
      "a redirect, which is not followed, and whose query is hidden",
      () => Response.redirect("http://127.0.0.1:1/other?token=geheim", 302),
      "http_status",
      /^HTTP 302: redirects are not followed; enter http:\/\/127.0.0.1:1\/other as the target, after/,
    ],
    ["HTML", () => new Response("<!doctype html>", html), "not_exposition", /a web page/],
    ["HTML that is said to be text", () => new Response("\n  <html>"), "not_exposition", /a web page/],
    ["JSON", () => Response.json({ up: 1 }), "not_exposition", /JSON/],
    [
      "Protobuf",
      () =>
        new Response(Buffer.from([0x0a, 0x02, 0x75, 0x70]), {
          headers: { "content-type": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily" },
        }),
      "not_exposition",
      /Protobuf, although text was asked for/,
    ],
    ["blank lines", () => new Response("\r\n \n"), "not_exposition", /empty; the exporter/],
    ["nothing", () => new Response(""), "not_exposition", /empty; the exporter may have lost its host engine/],
    ["a large answer", () => new Response("x".repeat(1024 * 1024 + 1)), "too_large", /larger than 1 MiB/],
    ["a gzip bomb", () => new Response(zeros, gzip), "too_large", /larger than 1 MiB/],
    ["half a gzip", () => new Response(zeros.subarray(0, 999), gzip), "closed_early", /compressed answer ends/],
    ["false gzip", () => new Response("up 1\n", gzip), "not_exposition", /said to be gzip/],
    [
      "brotli, which was not asked for",
      () => new Response("x", { headers: { "content-encoding": "br" } }),
      "not_exposition",
      /encoding br/,
    ],
    [
      "an unknown character set",
      () => new Response("x", { headers: { "content-type": "text/plain; charset=klingon" } }),
      "not_exposition",
      /character set klingon/,
    ],
  ];
  for (const [what, answering, reason, message] of answers) {
    test(what, async () => {
      expect(await failureOf(openClient(), serve(answering).url)).toEqual([reason, expect.stringMatching(message)]);
    });
  }

  const head = "HTTP/1.1 200 OK\r\n";
  for (const [what, text, reason, message] of [
    [
      "half an answer of a known length",
      `${head}Content-Length: 99\r\n\r\nup 1\n`,
      "closed_early",
      /closed the connection/,
    ],
    ["an answer without its last byte", `${head}Content-Length: 6\r\n\r\nup 12`, "closed_early", /closed/],
    [
      "chunks without the last one",
      `${head}Transfer-Encoding: chunked\r\n\r\n6\r\nup 12\n\r\n`,
      "closed_early",
      /closed/,
    ],
    ["a chunk without its last byte", `${head}Transfer-Encoding: chunked\r\n\r\n6\r\nup 12`, "closed_early", /closed/],
    ["half an answer in chunks", `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n`, "closed_early", /closed/],
    ["no answer", "", "closed_early", /closed the connection/],
    ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "not_exposition", /does not answer in HTTP/],
  ] as const) {
    test(what, async () => {
      expect(await failureOf(openClient(), await serveRaw(text))).toEqual([reason, expect.stringMatching(message)]);
    });
  }

  for (const [what, text] of [
    ["an answer that never begins", ""],
    ["an answer that never ends", `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n`],
  ] as const) {
    test(`${what}, within the time limit`, async () => {
      const failed = await failureOf(openClient({ timeoutMs: 150 }), await serveRaw(text, false));
      expect(failed).toEqual(["timeout", "no complete answer within 0.2 s (DCGM_TIMEOUT)"]);
    });
  }

  test("a refused connection, an unknown host, and http on a port of https", async () => {
    expect(await failureOf(openClient(), "http://127.0.0.1:1/metrics")).toEqual([
      "refused",
      expect.stringMatching(/^nothing listens there \(connection refused\), after/),
    ]);
    expect(await failureOf(openClient(), "http://nowhere.invalid:9400/metrics")).toEqual(["dns", expect.any(String)]);
    const plain = serve(exposition("up 1\n")).url.replace("http:", "https:");
    expect(await failureOf(openClient(), plain)).toEqual(["tls", expect.stringContaining("served over http")]);
  });

  test("answers that are too large together", async () => {
    const memory = new AnswerMemory(1000);
    const server = serve(() => new Response("x".repeat(900)));
    const client = openClient({ memory });
    expect((await failureOf(client, server.url))[0]).toBe("no failure");
    memory.take(200);
    expect((await failureOf(client, server.url))[0]).toBe("memory_full");
    memory.give(200);
    expect((await failureOf(client, server.url))[0]).toBe("no failure");
  });

  test("an abort", async () => {
    const halt = new AbortController();
    const failing = failureOf(openClient(), await serveRaw("", false), halt.signal);
    halt.abort();
    expect((await failing)[0]).toBe("stopped");
    expect((await failureOf(openClient(), "http://127.0.0.1:1/metrics", AbortSignal.abort()))[0]).toBe("stopped");
  });
});

test("many targets that hang do not hold up another one", async () => {
  const hanging = await serveRaw("", false);
  const halt = new AbortController();
  const client = openClient({ timeoutMs: 60_000 });
  const hung = Array.from({ length: 400 }, () => failureOf(client, hanging, halt.signal));
  expect(await textOf(openClient(), serve(exposition("up 1\n")).url)).toBe("up 1\n");
  expect(await textOf(client, serve(exposition("up 1\n")).url)).toBe("up 1\n");
  halt.abort();
  for (const [reason] of await Promise.all(hung)) expect(reason).toBe("stopped");
});

const openssl = Bun.which("openssl");
test.skipIf(openssl === null)(
  "TLS: trusted by a CA file, by a client certificate, or not at all (needs openssl)",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "exporter-tls-"));
    closing.push(() => rmSync(dir, { recursive: true }));
    const { ca, server, client } = makeCertificates(dir);
    const listening = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert: server.cert, key: server.key, ca, requestCert: true, rejectUnauthorized: true },
      fetch: exposition("up 1\n"),
    });
    closing.push(() => listening.stop(true));
    const url = `https://127.0.0.1:${listening.port}/metrics`;
    const withTls = (tls: ReturnType<ScrapeSecurity["tls"]>, insecure = false): ScrapeClient =>
      openClient({ security: { ...noSecurity, tls: () => tls, insecure } });
    expect(await textOf(withTls({ ca, ...client }), url)).toBe("up 1\n");
    expect(await textOf(withTls(client, true), url)).toBe("up 1\n");
    expect(await failureOf(withTls(client), url)).toEqual([
      "tls",
      expect.stringContaining("certificate is not accepted"),
    ]);
    expect((await failureOf(withTls({ ca }), url))[0]).toBeOneOf(["tls", "closed_early"]);
  },
);

/** A certificate authority, and certificates of a server on 127.0.0.1 and of a client. */
function makeCertificates(dir: string) {
  const script = join(import.meta.dir, "../../../dev/servers/make-certificates.sh");
  const { exitCode, stderr } = Bun.spawnSync(["sh", script], { cwd: dir });
  if (exitCode !== 0) throw new Error(stderr.toString());
  const read = (name: string): string => readFileSync(join(dir, name), "utf8");
  const pair = (name: string) => ({ cert: read(`${name}.pem`), key: read(`${name}-key.pem`) });
  return { ca: read("ca.pem"), server: pair("server"), client: pair("client") };
}

test.each([
  ["/gpu/metrics", "enter http://gpu1:9400/gpu/metrics as the target"],
  ["//gpu2/metrics?token=geheim", "enter http://gpu2/metrics as the target"],
  ["https://gpu1:9400/metrics", "enter https://gpu1:9400/metrics as the target"],
  ["file:///etc/passwd", "this one leads to no http or https address"],
  ["/metrics", "this one leads back to the same address"],
  ["?token=geheim", "this one leads back to the same address"],
  ["http://user:geheim@gpu2/metrics", "this one leads to an address with a user or a password"],
  ["http://[", "enter its final address as the target"],
  [`/${"x".repeat(300)}`, "enter its final address as the target"],
  [undefined, "enter its final address as the target"],
])("a redirect to %s gives only advice that can be followed", (location, advice) => {
  const { message } = explainStatus(302, "http://gpu1:9400/metrics", location);
  expect(message).toBe(`HTTP 302: redirects are not followed; ${advice}`);
});

test("a scrape that ends long after its time limit, because the process was held up, is no fault of the exporter", () => {
  expect(explainTimeout(10_050, 10_000)).toMatchObject({
    reason: "timeout",
    message: "no complete answer within 10 s (DCGM_TIMEOUT)",
  });
  expect(explainTimeout(14_000, 10_000)).toMatchObject({
    reason: "no_streamer",
    message: "the streamer was held up during the scrape, which ended after 14 s instead of 10 s",
  });
});
