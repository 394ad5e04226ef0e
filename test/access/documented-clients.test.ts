import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { until } from "../../dev/until.ts";
import { fleet, gatewayOver, openFleetStore } from "../routes/gateway.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";

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
  await gateway.get("/health/live");
  gateway.app.listen({ port: 0, hostname: "127.0.0.1" });
  address = `127.0.0.1:${gateway.app.server?.port}`;
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
  readonly authorization?: { readonly credentials_file: string };
  readonly static_configs: readonly { readonly targets: readonly string[] }[];
}

test("Prometheus scrapes with the key as documented, and not without it", async () => {
  const [scrape] = (parse(block("yaml", "scrape_configs")) as { scrape_configs: [Scrape] }).scrape_configs;
  const targets = { static_configs: [{ targets: [address] }] };
  const config = {
    global: { scrape_interval: "1s" },
    scrape_configs: [
      { ...scrape, ...targets, authorization: { ...scrape.authorization, credentials_file: "/srv/key" } },
      { job_name: "without", ...targets },
    ],
  };
  const prometheus = await openPrometheus(stringify(config), { key: `${key}\n` });
  try {
    const ask = async (path: string) => await (await fetch(`${prometheus.url}/api/v1/${path}`)).json();
    type Targets = { data: { activeTargets: { scrapePool: string; health: string; lastError: string }[] } };
    const states = async () => {
      const { data } = (await ask("targets")) as Targets;
      return new Map(data.activeTargets.map((each) => [each.scrapePool, `${each.health} ${each.lastError}`]));
    };
    await until(async () => {
      const known = [...(await states()).values()].filter((state) => !state.startsWith("unknown"));
      return known.length === config.scrape_configs.length;
    });
    const found = await states();
    expect([found.get(scrape.job_name), found.get("without")]).toEqual(["up ", expect.stringContaining("down")]);
    expect(found.get("without")).toContain("401");
    const query = encodeURIComponent(`telemetry_http_request_duration_seconds_count{job="${scrape.job_name}"}`);
    type Result = { data: { result: unknown[] } };
    await until(async () => ((await ask(`query?query=${query}`)) as Result).data.result.length > 0);
  } finally {
    await prometheus.close();
  }
}, 600_000);
