import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../dev/servers/postgres.ts";
import { PostgresClient } from "../src/db/postgres-client.ts";
import type { SqlClient } from "../src/db/client.ts";
import { systemClock } from "../src/kit/clock.ts";
import { SqlTelemetryQueries } from "../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { allTime } from "../src/domain/time-range.ts";
import { writeFleetCsv } from "../dev/fleet-csv.ts";
import { startPipeline, stopPipeline } from "../dev/pipeline-process.ts";
import { type HttpLoad, httpLoad, type HttpRate } from "./support/http-load.ts";
import { usageOf } from "./support/process-usage.ts";
import { print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures the processor time of a gateway's responses, compared with a lower bound: plain Bun.serve in a separate process,
// which sends the same bytes or runs the same SQL. GraphQL is compared with REST on the same gateway. The two sides of a
// comparison get the same number of connections, and are loaded in turns.

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "8" },
  },
});
const [seconds, rounds, connections] = [Number(values.seconds), Number(values.rounds), Number(values.connections)];
const formatRate = ({ perSecond, p50Ms, p99Ms }: HttpRate): string =>
  `${Math.round(perSecond).toLocaleString("en-US")}/s (p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms)`;

async function startBare(env: Record<string, string>): Promise<Server & { stop: () => Promise<void> }> {
  const child = Bun.spawn([process.execPath, "bench/http/bare-server.ts"], {
    cwd: `${import.meta.dir}/..`,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  const stop = async (): Promise<void> => {
    child.kill();
    await child.exited;
  };
  return { url: new TextDecoder().decode(value).trim(), pid: child.pid, stop };
}

interface Server {
  readonly url: string;
  readonly pid: number;
}

/** Requests per second, and per second of the server's processor time. */
async function rateOf(pid: number, load: HttpLoad): Promise<HttpRate & { readonly perCpuSecond: number }> {
  const before = usageOf([pid]).cpuSeconds;
  const rate = await httpLoad(load);
  // the processor time includes the warm-up of 1 s, so the requests of the warm-up are added
  const requests = rate.perSecond * (load.seconds + 1);
  return { ...rate, perCpuSecond: requests / (usageOf([pid]).cpuSeconds - before) };
}

/** Loads the two targets in turns, and compares their requests per CPU-second, which other processes of the machine hardly
 *  affect. Sets the exit code to 1 if the median of the ratios is below `least`. */
async function compare(
  name: string,
  { ours, peer, least }: { readonly ours: Target; readonly peer: Target; readonly least: number },
): Promise<void> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const peerRate = await rateOf(peer.pid, { ...peer, connections, seconds });
    const ownRate = await rateOf(ours.pid, { ...ours, connections, seconds });
    ratios.push(ownRate.perCpuSecond / peerRate.perCpuSecond);
    const ratio = (ownRate.perSecond / peerRate.perSecond).toFixed(2);
    print(
      `  ${formatRate(ownRate)} compared with ${formatRate(peerRate)}: ${ratio} by the clock, ${ratios.at(-1)?.toFixed(2)} per CPU-second`,
    );
  }
  const ratio = median(ratios);
  print(`${name}: ${ratio.toFixed(2)} per CPU-second, at least ${least}${ratio < least ? ": MISSED" : ""}`);
  if (ratio < least) process.exitCode = 1;
}

type Target = Server & Omit<HttpLoad, "seconds" | "connections">;

/** The SQL statements that the gateway sends for a page of a GPU's records, as JSON. */
async function statementsOf(url: string, uuid: string): Promise<string> {
  const client = new PostgresClient({ url, maxConnections: 1, clock: systemClock });
  const statements: { text: string; params: readonly string[] }[] = [];
  const recording = {
    ...client,
    query: <Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> => {
      statements.push({ text, params: params.map(String) });
      return client.query<Row>(text, params);
    },
  } as SqlClient;
  await new SqlTelemetryQueries(recording).history.records({
    gpus: { uuids: [uuid] },
    range: allTime,
    limit: 100,
  });
  await client.close();
  return JSON.stringify(statements);
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
const database = await startPostgres();
const csv = join(folder, "fleet.csv");
await writeFleetCsv(csv, { hosts: 31, "gpus-per-host": 8, seconds: 200 });
const gateway = startPipeline({ DATABASE_URL: database.url, CSV_FILE: csv, LOG_LEVEL: "warn" });
try {
  const [, url = ""] = await gateway.waitFor(/(http:\/\/\S+:\d+)/);
  await gateway.waitFor(/quarantined/, 120_000);
  const bytes = await (await fetch(`${url}/api/v1/gpus`)).text();
  const { data } = JSON.parse(bytes) as { data: { uuid: string }[] };
  const uuid = data[100]?.uuid ?? "";
  print(`${data.length} GPUs, ${bytes.length} bytes; ${connections} connections, ${rounds} rounds of ${seconds} s`);

  await Bun.write(join(folder, "gpus.json"), bytes);
  const fixed = await startBare({ BODY_FILE: join(folder, "gpus.json") });
  const { pid } = gateway.subprocess;
  const list = { url: `${url}/api/v1/gpus`, pid };
  await compare("GET /api/v1/gpus compared with the same bytes", { ours: list, peer: fixed, least: 0.8 });
  await fixed.stop();

  const bySql = await startBare({ DATABASE_URL: database.url, STATEMENTS: await statementsOf(database.url, uuid) });
  const path = `/api/v1/gpus/${uuid}/telemetry?limit=100`;
  const records = { url: url + path, pid };
  await compare("a GPU's last 100 records compared with the same SQL", { ours: records, peer: bySql, least: 0.7 });
  await bySql.stop();

  const query = "{ gpus { id uuid hostname name device status clusterId driverVersion firstSeenAt lastSeenAt } }";
  const graphql = {
    ...{ url: `${url}/graphql`, pid },
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  };
  await compare("GraphQL gpus compared with REST", { ours: graphql, peer: list, least: 0.5 });
} finally {
  await stopPipeline(gateway);
  await database.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit();
