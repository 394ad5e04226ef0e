import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../src/kit/clock.ts";
import { openTlsFront } from "../src/tls/open-tls-front.ts";
import { unshownLog } from "../dev/unshown-log.ts";

// Measures what TLS costs: the same HTTP server without TLS, with Bun's own TLS, and behind the front of src/tls. The clients are in a
// process of their own. Needs openssl.
//
// Usage: bun bench/tls.ts

const bigBytes = 200_000_000;
const [clients, requests, connections] = [32, 400, 200];
const small = "hello ".repeat(100);
const answer = ({ url }: Request): Response => new Response(url.endsWith("/big") ? new Uint8Array(bigBytes) : small);

async function serve(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "telemetry-bench-tls-"));
  const made = Bun.spawnSync(["sh", join(import.meta.dir, "../dev/servers/make-certificates.sh")], { cwd: dir });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  const files = { certFile: join(dir, "server.pem"), keyFile: join(dir, "server-key.pem"), clientCaFile: undefined };
  const [cert, key] = [readFileSync(files.certFile, "utf8"), readFileSync(files.keyFile, "utf8")];
  const at = { hostname: "127.0.0.1", port: 0, fetch: answer };
  const [plain, own, inner] = [Bun.serve(at), Bun.serve({ ...at, tls: { cert, key } }), Bun.serve(at)];
  const front = openTlsFront({
    ...{ files, requiresClientCertificate: false, host: "127.0.0.1", port: 0, redirects: undefined },
    ...{ shownPort: undefined, hstsSeconds: 0, onFailure: () => undefined, clock, log: unshownLog() },
  });
  await front.certificate.start();
  const port = await front.listen(inner.port ?? 0);
  const urls = { "no TLS": plain.url.origin, "Bun's TLS": own.url.origin, front: `https://127.0.0.1:${port}` };
  for (const [name, url] of Object.entries(urls)) {
    const child = Bun.spawn([process.execPath, import.meta.path, url, join(dir, "ca.pem")], { stdout: "pipe" });
    console.log(name.padEnd(12), (await child.stdout.text()).trim());
  }
  rmSync(dir, { recursive: true });
  process.exit(0);
}

async function measure(url: string, caFile: string): Promise<void> {
  const tls = { ca: readFileSync(caFile, "utf8") };
  const ask = async (count: number, keepalive = true): Promise<void> => {
    for (let at = 0; at < count; at += 1) await (await fetch(url, { tls, keepalive })).text();
  };
  await ask(200);
  const perSecond = async (count: number, work: () => Promise<unknown>): Promise<number> => {
    const startMs = performance.now();
    await work();
    return Math.round((count * 1000) / (performance.now() - startMs));
  };
  const small = await perSecond(clients * requests, () =>
    Promise.all(Array.from({ length: clients }, () => ask(requests))),
  );
  const big = await perSecond(bigBytes / 1e6, async () => (await fetch(`${url}/big`, { tls })).arrayBuffer());
  const opened = await perSecond(connections, () => ask(connections, false));
  console.log(`${small} requests/s, ${big} MB/s, ${opened} new connections/s`);
}

const [, , url, caFile] = process.argv;
await (url === undefined || caFile === undefined ? serve() : measure(url, caFile));
