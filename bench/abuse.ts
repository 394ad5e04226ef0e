import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPipeline, stopPipeline } from "../dev/pipeline-process.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { makeKeyText } from "../src/access/key-text.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import { abusers, type Target } from "./abuse/abusers.ts";
import { fleetOf } from "./query/data.ts";
import { ingestFleet } from "./query/store-fleet.ts";
import { print } from "./support/output.ts";
import { median, quantile } from "./support/statistics.ts";

// Measures what an honest client waits for beside clients that cost as much as they can, through one gateway on TimescaleDB. The
// honest client asks for the last records of a GPU, one question after another. Both clients have the same address and different keys.
//
// Usage: bun bench/abuse.ts [--gpus 10000] [--instants 241] [--seconds 12] [--only TEXT]

const { values } = parseArgs({
  options: {
    gpus: { type: "string", default: "10000" },
    instants: { type: "string", default: "241" },
    seconds: { type: "string", default: "12" },
    only: { type: "string", default: "" },
  },
});
const [gpus, instants, seconds] = [Number(values.gpus), Number(values.instants), Number(values.seconds)];
/** As often as a dashboard of some people asks. */
const pauseMs = 20;

async function storeFleet(url: string): Promise<string[]> {
  const opened = await openPostgresStore({ url, migrate: true });
  const fleet = fleetOf(gpus, instants, 4);
  await ingestFleet(opened.store, fleet);
  await opened.client.query("analyze telemetry");
  await opened.close();
  return fleet.batches[0]?.gpus.map(({ uuid }) => uuid) ?? [];
}

/** Asks until the signal aborts. @returns the milliseconds of each answer */
async function honest({ url, key, uuids }: Target, ended: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!ended.aborted) {
    const uuid = uuids[Math.floor(Math.random() * uuids.length)];
    const started = performance.now();
    const response = await fetch(`${url}/api/v1/gpus/${uuid}/telemetry?limit=10`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the honest client got ${response.status}: ${text}`);
    times.push(performance.now() - started);
    await Bun.sleep(pauseMs);
  }
  return times;
}

async function measure(index: number | undefined, targets: Targets): Promise<void> {
  const name = index === undefined ? "alone" : (abusers[index]?.name ?? "");
  const abusing = index === undefined ? undefined : startAbuser(index, targets.abuser);
  // what the abuser does first is not measured
  await Bun.sleep(2000);
  const times = await honest(targets.honest, AbortSignal.timeout(seconds * 1000));
  const outcome = await abusing;
  print(
    `${name.padEnd(60)} p50 ${median(times).toFixed(0).padStart(4)} ms, p99 ${quantile(times, 0.99).toFixed(0).padStart(4)} ms of ` +
      `${times.length}; ${Math.round(targets.rssMebibytes())} MiB; ${outcome ?? ""}`,
  );
  // sockets close, and statements end
  await Bun.sleep(2000);
}

/** @returns the outcomes of its attempts, once it has ended */
function startAbuser(index: number, target: Target): Promise<string> {
  // on a machine with few cores, what the abuser itself computes should not keep the honest client waiting
  const command = ["nice", "-n", "15", process.execPath, join(import.meta.dir, "abuse/run-abuser.ts")];
  const { stdout } = Bun.spawn([...command, String(index), JSON.stringify(target), String(seconds + 2)]);
  return new Response(stdout).text();
}

interface Targets {
  readonly honest: Target;
  readonly abuser: Target;
  readonly rssMebibytes: () => number;
}

/** The resident memory of a process. Source: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html */
function rssMebibytesOf(pid: number): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]);
  return Number(stdout.toString()) / 1024;
}

const folder = mkdtempSync(join(tmpdir(), "bench-abuse-"));
const keysFile = join(folder, "keys.jsonl");
const keys = ["honest", "abuser"].map((name) => ({ name, ...makeKeyText() }));
const lines = keys.map(({ id, name, sha256 }) => JSON.stringify({ id, name, sha256, scopes: ["read"] }));
writeFileSync(keysFile, `${lines.join("\n")}\n`, { mode: 0o600 });
const server = await startPostgres();
const uuids = await storeFleet(server.url);
const gateway = startPipeline({ ROLE: "gateway", DATABASE_URL: server.url, AUTH_KEYS_FILE: keysFile });
try {
  const [, url = ""] = await gateway.waitFor(/(http:\/\/\S+:\d+)/);
  const [honestKey = "", abuserKey = ""] = keys.map(({ text }) => text);
  const targets: Targets = {
    honest: { url, key: honestKey, uuids },
    abuser: { url, key: abuserKey, uuids: uuids.slice(0, 100) },
    rssMebibytes: () => rssMebibytesOf(gateway.subprocess.pid),
  };
  print(`${gpus * instants} records of ${gpus} GPUs, ${seconds} s each`);
  await measure(undefined, targets);
  for (const [index, { name }] of abusers.entries()) if (name.includes(values.only)) await measure(index, targets);
  await measure(undefined, targets);
} finally {
  await stopPipeline(gateway);
  await server.stop();
  rmSync(folder, { recursive: true });
}
process.exit();
