import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { openTlsFront } from "../../src/tls/open-tls-front.ts";
import { fleet, gatewayOver, openFleetStore } from "../routes/gateway.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";
import { TestAuthority } from "../tls/test-authority.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { listening } from "../support/listening.ts";

// What docs/security.md says about clients is what a user copies. The docs check runs its commands; this file runs the rest.

const root = join(import.meta.dir, "../..");
const document = readFileSync(join(root, "docs/security.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "documented-"));

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: ReturnType<typeof gatewayOver>;
let address: string;
let key: string;
beforeAll(async () => {
  stored = await openFleetStore();
  const secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  address = `127.0.0.1:${await listening(gateway)}`;
  key = (await secured.create("read")).text;
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
  rmSync(folder, { recursive: true });
});

/** The block of the document in this language that has the text. */
function block(language: string, text: string): string {
  const blocks = [...document.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, of]) => of === language);
  const found = blocks.find(([, , code]) => code?.includes(text))?.[2];
  if (found === undefined) throw new Error(`docs/security.md has no ${language} with ${text}`);
  return found;
}

test("the typed client, with the key as documented", async () => {
  const code = block("ts", "createGatewayClient");
  expect(code).toContain("localhost:8080");
  const paths = { "gpu-telemetry-client": [join(root, "clients/typescript/src/index.ts")] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { paths } }));
  writeFileSync(join(folder, "list.ts"), code.replace("localhost:8080", address));
  for (const [given, status, text] of [
    [`${key}\n`, 0, `${new Set(fleet.map(({ gpu }) => gpu.uuid)).size} GPUs\n`],
    ["gtp_other_key", 1, ""],
  ] as const) {
    writeFileSync(join(folder, "grafana-key"), given);
    const child = Bun.spawn([process.execPath, "list.ts"], { cwd: folder, stdout: "pipe", stderr: "pipe" });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([await child.exited, output, errors.includes("unauthenticated")]).toEqual([status, text, status === 1]);
  }
});

interface Scrape {
  readonly job_name: string;
  readonly static_configs: readonly { readonly targets: readonly string[] }[];
}

/** The documented configuration that has the text, for another target, with its files in /srv. */
function scrapeAs(name: string, text: string, target: string): Scrape {
  const inSrv = block("yaml", text).replaceAll("/etc/prometheus/", "/srv/");
  const [scrape] = (parse(inSrv) as { scrape_configs: [Scrape] }).scrape_configs;
  return { ...scrape, job_name: name, static_configs: [{ targets: [target] }] };
}

/** Serves the gateway with TLS, under a certificate that is its own authority. */
async function serveTls() {
  const authority = TestAuthority.make(folder, "authority");
  const own = authority.issue("own");
  const front = openTlsFront({
    files: { certFile: own.certFile, keyFile: own.keyFile, clientCaFile: undefined },
    ...{ requiresClientCertificate: false, host: "127.0.0.1", port: 0, redirects: undefined, shownPort: undefined },
    ...{ hstsSeconds: 0, onFailure: () => undefined, clock: systemClock, log: unshownLog() },
  });
  await front.certificate.start();
  return { front, ca: authority.cert, port: await front.listen(gateway.app.server?.port ?? 0) };
}

test("Prometheus scrapes with the key as documented, with TLS too, and not without the key", async () => {
  const { front, ca, port } = await serveTls();
  const without = { job_name: "without", static_configs: [{ targets: [address] }] };
  const jobs = [
    scrapeAs("plain", "scrape_configs", address),
    scrapeAs("tls", "tls_config", `127.0.0.1:${port}`),
    without,
  ];
  const files = {
    "telemetry-key": `${key}\n`,
    "telemetry-ca.pem": ca,
  };
  const prometheus = await openPrometheus(
    stringify({ global: { scrape_interval: "1s" }, scrape_configs: jobs }),
    files,
  );
  try {
    const ask = async (path: string) => await (await fetch(`${prometheus.url}/api/v1/${path}`)).json();
    type Targets = { data: { activeTargets: { scrapePool: string; health: string; lastError: string }[] } };
    const states = async () => {
      const { data } = (await ask("targets")) as Targets;
      return data.activeTargets.map((each) => [each.scrapePool, each.health, each.lastError] as const).sort();
    };
    await until(async () => (await states()).filter(([, health]) => health !== "unknown").length === jobs.length);
    expect(await states()).toEqual([
      ["plain", "up", ""],
      ["tls", "up", ""],
      ["without", "down", expect.stringContaining("401") as string],
    ]);
    const query = encodeURIComponent("count by (job) (telemetry_http_request_duration_seconds_count)");
    type Result = { data: { result: unknown[] } };
    await until(async () => ((await ask(`query?query=${query}`)) as Result).data.result.length === 2);
  } finally {
    await prometheus.close();
    front.stopListening();
    await front.certificate.stop(AbortSignal.abort());
  }
}, 600_000);
