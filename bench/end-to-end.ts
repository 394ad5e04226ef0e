import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { startEtcd } from "../scripts/services/etcd.ts";
import { startPostgres } from "../scripts/services/postgres.ts";
import { writeFleetCsv } from "../test/support/fleet-csv.ts";
import { startVictoriaMetrics } from "./peers/victoria-metrics.ts";

// A CSV file through a streamer, etcd and a collector into TimescaleDB, processes and servers as in production and all of it
// durable, until the last row can be queried; against VictoriaMetrics, which takes the same file in by HTTP.

const { values } = parseArgs({
  options: {
    hosts: { type: "string", default: "64" },
    seconds: { type: "string", default: "120" },
    collectors: { type: "string", default: "1" },
  },
});
const root = `${import.meta.dir}/..`;
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");

/** Processor time that processes used so far, seconds. */
async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const fields =
        (
          await Bun.file(`/proc/${pid}/stat`)
            .text()
            .catch(() => "")
        )
          .split(") ")[1]
          ?.split(" ") ?? [];
      return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    }),
  );
  return ticks.reduce((sum, each) => sum + each, 0) / 100;
}

interface Rates {
  readonly samplesPerSecond: number;
  readonly ours: string;
}

async function throughPipeline(csv: string, samples: number): Promise<Rates> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  const env = {
    ...process.env,
    ETCD_ENDPOINTS: etcd.endpoints.join(","),
    DATABASE_URL: database.url,
    PORT: "0",
    LOG_LEVEL: "warn",
  };
  const start = (role: string, more = {}) =>
    Bun.spawn([process.execPath, "src/main.ts"], {
      cwd: root,
      env: { ...env, ROLE: role, ...more },
      stdout: "ignore",
      stderr: "inherit",
    });
  const stored = async (): Promise<number> => {
    const rows = await sql<
      { rows: number }[]
    >`select coalesce(sum(samples), 0)::float8 as rows from ingested_messages`.catch(() => []);
    return rows[0]?.rows ?? 0;
  };
  const processes = Array.from({ length: Number(values.collectors) }, () => start("collector"));
  try {
    while ((await sql`select to_regclass('gpu_workloads') as made`)[0]?.["made"] === null) await Bun.sleep(100);
    await Bun.sleep(1000);
    const started = performance.now();
    processes.push(start("streamer", { CSV_FILE: csv }));
    while ((await stored()) < samples) await Bun.sleep(50);
    const seconds = (performance.now() - started) / 1000;
    const cpuSeconds = await cpuSecondsOf(processes.map(({ pid }) => pid));
    const [size] = await sql<{ bytes: number }[]>`select hypertable_size('telemetry')::float8 as bytes`;
    return {
      samplesPerSecond: samples / seconds,
      ours: `${cpuSeconds.toFixed(1)} CPU-seconds of streamer and collector, ${((size?.bytes ?? NaN) / samples).toFixed(1)} bytes a sample on disk`,
    };
  } finally {
    for (const child of processes) child.kill();
    await Promise.all(processes.map(({ exited }) => exited));
    await sql.end();
    await Promise.all([etcd.stop(), database.stop()]);
  }
}

/** Columns of the exporter's CSV as VictoriaMetrics names them; it makes one metric with the name as a label. */
const csvFormat =
  "1:time:rfc3339,2:label:metric_name,3:label:gpu,4:label:device,5:label:uuid,6:label:model,7:label:hostname,11:metric:value";

async function throughVictoriaMetrics(csv: string, samples: number): Promise<number> {
  const peer = await startVictoriaMetrics();
  try {
    const text = await Bun.file(csv).text();
    const body = text.slice(text.indexOf("\n") + 1);
    const started = performance.now();
    const response = await fetch(`${peer.url}/api/v1/import/csv?format=${encodeURIComponent(csvFormat)}`, {
      method: "POST",
      body,
    });
    if (!response.ok) throw new Error(await response.text());
    await peer.flush();
    for (;;) {
      const answer = await fetch(
        `${peer.url}/api/v1/query?query=${encodeURIComponent('sum(count_over_time({__name__=~"value.*"}[10y]))')}&nocache=1`,
      );
      const body = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
      if (Number(body.data.result[0]?.value[1] ?? 0) >= samples) break;
      await Bun.sleep(50);
    }
    return samples / ((performance.now() - started) / 1000);
  } finally {
    await peer.stop();
  }
}

const dir = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
try {
  const csv = join(dir, "fleet.csv");
  await writeFleetCsv(csv, { hosts: values.hosts, "gpus-per-host": 8, seconds: values.seconds });
  const text = await Bun.file(csv).text();
  const samples = text.split("\n").length - 2;
  const peerRate = await throughVictoriaMetrics(csv, samples);
  const { samplesPerSecond, ours } = await throughPipeline(csv, samples);
  print(
    `${grouped(samples)} samples, long rows (a sample each): ${grouped(samplesPerSecond)} samples/s (${ours}); VictoriaMetrics ${grouped(peerRate)} samples/s; ratio ${(samplesPerSecond / peerRate).toFixed(2)}`,
  );
} finally {
  await rm(dir, { recursive: true, force: true });
}
process.exit(0);
