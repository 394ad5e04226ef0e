import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { print } from "../../src/terminal/print.ts";
import { openings, rightsOf } from "./closed.ts";
import { ComposeProject } from "./compose-project.ts";
import { killEach } from "./kill-each.ts";
import { tryGrafanaRole } from "./try-grafana-role.ts";
import { askPrometheus } from "./ask-prometheus.ts";
import type { Podman } from "./podman.ts";
import { readCompose } from "./read-compose.ts";

const root = join(import.meta.dir, "../..");
const gpus = 32;
/** Of a GPU a second in the simulated fleet's CSV, about. */
const samplesPerGpu = 17;

/** A project, and how to ask its gateways. */
interface Tried {
  readonly podman: Podman;
  readonly project: ComposeProject;
  readonly url: string;
  readonly folder: string;
  readonly keyFile: string;
}

/** Starts compose.yaml with monitoring, streams a CSV file, kills every container in turn, compares the store with the file, and stops
 *  everything by SIGTERM.
 *  @throws Error that says what was not as it should be */
export async function tryCompose(podman: Podman, { samples }: { readonly samples: number }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "telemetry-containers-"));
  const [port = 0] = await freePorts(1);
  // the user of the image reads the file
  await writeFleetCsv(join(folder, "fleet.csv"), { seconds: Math.ceil(samples / gpus / samplesPerGpu) });
  const variables = { GATEWAY_PORT: String(port), CSV_FOLDER: folder, CSV_FILE: "/csv/fleet.csv" };
  const file = readCompose(join(root, "compose.yaml"), variables);
  // nothing here can stand in for it
  const services = Object.fromEntries(Object.entries(file.services).filter(([name]) => name !== "grafana"));
  // slow enough that every container is killed meanwhile; a killed process's work is taken over soon
  const settings = {
    ...{ RATE_LIMIT_SAMPLES_PER_SECOND: "4000", SOURCE_RANGE_MIB: "4", BATCH_SIZE: "4000" },
    ...{ QUEUE_LEASE_SECONDS: "5", SETTLE_HISTORY: "false" },
  };
  const project = new ComposeProject(podman, { name: "gtp-try", file: { ...file, services }, root, settings });
  const tried = { podman, project, url: `http://127.0.0.1:${port}`, folder, keyFile: join(folder, "key") };
  try {
    await Bun.spawn(["chmod", "-R", "a+rX", folder]).exited;
    await project.down();
    await project.up(["monitoring"]);
    for (const { name, readyMs } of project.containers) {
      print(`  ${name.padEnd(24)}${readyMs === undefined ? "done" : `ready after ${Math.round(readyMs)} ms`}`);
    }
    await judge(tried);
  } finally {
    await project.down();
    rmSync(folder, { recursive: true });
  }
}

async function judge(tried: Tried): Promise<void> {
  const { podman, project, url, keyFile } = tried;
  const unknown = await fetch(`${url}/api/v1/gpus`);
  if (unknown.status !== 401) throw new Error(`without a key, the answer is ${unknown.status}`);
  writeFileSync(keyFile, await podman.run("exec", "gtp-try-gateway-1", "cat", "/run/access/first-key"), {
    mode: 0o600,
  });
  const running = project.containers.filter(({ readyMs }) => readyMs !== undefined);
  const ours = running.filter(({ service }) => !["etcd", "timescaledb", "prometheus"].includes(service));
  const open = (await Promise.all(ours.map(({ name }) => openings(podman, name)))).flat();
  if (open.length > 0) throw new Error(open.join("\n"));
  print(`${ours.length} containers run as user 1000, without rights, on a root that they cannot write`);
  await until(async () => (await count(tried, "gpus")) === gpus, { timeoutMs: 60_000 });
  await killEach(podman, project, running);
  await project.repeatOnce();
  print(await tryGrafanaRole(podman, "gtp-try"));
  await untilStored(tried);
  for (const { name } of running) {
    const { residentMebibytes } = await rightsOf(podman, name);
    print(`  ${name.padEnd(24)}${residentMebibytes} MiB resident`);
  }
  await compare(tried);
  print(await askPrometheus(podman, "gtp-try-prometheus-1"));
  await stopOurs(podman, ours);
}

/** The number in the answer of a list. */
async function count({ url, keyFile }: Tried, list: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${readFileSync(keyFile, "utf8")}` };
  const response = await fetch(`${url}/api/v1/${list}`, { headers, signal: AbortSignal.timeout(5000) }).catch(
    () => undefined,
  );
  if (response?.ok !== true) return undefined;
  return ((await response.json()) as { readonly count: number }).count;
}

/** The rows of the file; each is a sample. */
function rowsOf(file: string): number {
  let rows = -1;
  for (const byte of readFileSync(file)) if (byte === 10) rows += 1;
  return rows;
}

/** Asks the database. */
async function select({ podman }: Tried, statement: string): Promise<string> {
  const command = ["psql", "--username=postgres", "--dbname=telemetry", "--tuples-only", "--no-align", "--command"];
  return podman.run("exec", "gtp-try-timescaledb-1", ...command, statement);
}

/** Resolves when every row of the file is in a stored message.
 *  @throws Error if more rows are stored than the file has */
async function untilStored(tried: Tried): Promise<void> {
  const file = join(tried.folder, "fleet.csv");
  const rows = rowsOf(file);
  const startedAt = performance.now();
  const stored = async (): Promise<boolean> => {
    const sum = Number(await select(tried, "select coalesce(sum(rows), 0) from ingested_messages"));
    if (sum > rows) throw new Error(`${sum} rows are stored, of ${rows} in the file`);
    return sum === rows;
  };
  await until(stored, { timeoutMs: 300_000, everyMs: 500 });
  const mebibytes = Math.round(statSync(file).size / 1024 ** 2);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  print(`all ${rows} rows (${mebibytes} MiB) are stored, once each, ${seconds} s after the last kill`);
}

/** Compares every record of the file with the API, and the numbers of records and samples with the database. */
async function compare(tried: Tried): Promise<void> {
  const verify = Bun.spawn(
    [process.execPath, "scripts/verify.ts", "--csv", join(tried.folder, "fleet.csv"), "--url", tried.url],
    {
      cwd: root,
      env: { PATH: process.env.PATH, TELEMETRY_KEY_FILE: tried.keyFile },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const [output, errors] = await Promise.all([verify.stdout.text(), verify.stderr.text()]);
  if ((await verify.exited) !== 0) throw new Error(`${output}${errors}`);
  print(output.trim());
  const records = Number(/(\d+) records/.exec(output)?.[1]);
  const stored = Number(await select(tried, "select count(*) from telemetry"));
  if (stored !== records) throw new Error(`the store has ${stored} records, the file ${records}`);
  print(`the database has ${stored} records, and no more`);
}

/** Stops the containers of the pipeline by SIGTERM; each must end by itself. */
async function stopOurs(podman: Podman, ours: readonly { readonly name: string }[]): Promise<void> {
  for (const { name } of ours.toReversed()) {
    const startedAt = performance.now();
    await podman.run("stop", name);
    const code = await podman.inspect(name, "{{.State.ExitCode}}");
    if (code !== "0") throw new Error(`${name} ended with ${code} after SIGTERM`);
    print(`  ${name.padEnd(24)}ended with 0, ${Math.round(performance.now() - startedAt)} ms after SIGTERM`);
  }
}
