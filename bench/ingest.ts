import { parseArgs } from "node:util";
import postgres from "postgres";
import { type PostgresServer, startPostgres } from "../dev/servers/postgres.ts";
import type { RecordBatch } from "../src/domain/batch.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import { batchesOf, type CopyText, copyTextOf, type Shape, shapes } from "./ingest/shapes.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures how fast the store ingests batches, compared with an upper bound for PostgreSQL: COPY of the same rows into an
// identical hypertable, over the same number of connections. The ingest and the COPY are durable, and run on one server, one
// after the other.

const { values } = parseArgs({
  options: { batches: { type: "string", default: "40" }, rounds: { type: "string", default: "3" } },
});
const batchCount = Number(values.batches);
const rounds = Number(values.rounds);
const connectionCounts = [1, 2, 4];

interface Rate {
  readonly rowsPerSecond: number;
  readonly bytes: number;
  readonly firstSeconds: number;
}

/** The first batch is measured separately, because its ingest also stores the GPUs and creates the first chunk. */
type Batches = readonly [RecordBatch, ...RecordBatch[]];

let databases = 0;

/** Calls `work` with a new, empty database, and deletes the database afterwards. */
async function inDatabase<T>(
  server: PostgresServer,
  work: (url: string, admin: postgres.Sql) => Promise<T>,
): Promise<T> {
  databases += 1;
  const url = new URL(server.url);
  url.pathname = `/bench_${databases}`;
  const root = postgres(server.url, { max: 1, onnotice: () => undefined });
  await root.unsafe(`create database bench_${databases}`);
  const admin = postgres(url.href, { max: 4, onnotice: () => undefined });
  try {
    return await work(url.href, admin);
  } finally {
    await admin.end();
    await root.unsafe(`drop database bench_${databases} with (force)`);
    await root.unsafe("checkpoint");
    await root.end();
  }
}

/** Calls `work` for each item, up to `workers` at a time. @returns the seconds until all are processed */
async function secondsToProcess<T>(
  items: readonly T[],
  workers: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let index = next++; index < items.length; index = next++) await work(items[index] as T, index);
    }),
  );
  return (performance.now() - started) / 1000;
}

async function sizeOf(admin: postgres.Sql): Promise<number> {
  const rows = await admin.unsafe<{ bytes: number }[]>("select hypertable_size('telemetry')::float8 as bytes");
  return rows[0]?.bytes ?? NaN;
}

const rowsOf = (batches: readonly RecordBatch[]): number =>
  batches.reduce((sum, { recordCount }) => sum + recordCount, 0);

function ingestRate(server: PostgresServer, [first, ...batches]: Batches, connections: number): Promise<Rate> {
  return inDatabase(server, async (url, admin) => {
    const { store, close } = await openPostgresStore({ url, migrate: true, maxConnections: connections });
    const ingest = async (batch: RecordBatch, index: number): Promise<void> => {
      const place = (at: number) => ({ offset: at, line: at });
      const source = { sourceId: "bench", from: place(index), to: place(index + 1) };
      await store.ingest({ messageId: String(index), idempotencyKey: String(index), source, batch });
    };
    const firstSeconds = await secondsToProcess([first], 1, (batch) => ingest(batch, -1));
    const seconds = await secondsToProcess(batches, connections, ingest);
    const bytes = await sizeOf(admin);
    await close();
    return { rowsPerSecond: rowsOf(batches) / seconds, bytes, firstSeconds };
  });
}

function copyRate(server: PostgresServer, all: Batches, connections: number): Promise<Rate> {
  const [first, ...texts] = all.map(copyTextOf) as [CopyText, ...CopyText[]];
  return inDatabase(server, async (url, admin) => {
    await (await openPostgresStore({ url, migrate: true, maxConnections: 1 })).close();
    const copyIn = async ({ columns, text }: CopyText): Promise<void> => {
      const copy = await admin
        .unsafe(`copy telemetry (${columns.map((name) => `"${name}"`).join(", ")}) from stdin`)
        .writable();
      await new Promise<void>((resolve, reject) => void copy.on("error", reject).on("finish", resolve).end(text));
    };
    const firstSeconds = await secondsToProcess([first], 1, copyIn);
    const seconds = await secondsToProcess(texts, connections, copyIn);
    return { rowsPerSecond: rowsOf(all.slice(1)) / seconds, bytes: await sizeOf(admin), firstSeconds };
  });
}

async function measure(server: PostgresServer, shape: Shape): Promise<void> {
  const batches = batchesOf(shape, 1 + batchCount) as unknown as Batches;
  const samples = batches.reduce((sum, { tally }) => sum + tally.samples, 0);
  const samplesPerRow = samples / rowsOf(batches);
  for (const connections of connectionCounts) {
    const ratios: number[] = [];
    let best: Rate = { rowsPerSecond: 0, bytes: 0, firstSeconds: 0 };
    let copyBest = 0;
    for (let round = 0; round < rounds; round += 1) {
      const copied = await copyRate(server, batches, connections);
      const ingested = await ingestRate(server, batches, connections);
      ratios.push(ingested.rowsPerSecond / copied.rowsPerSecond);
      copyBest = Math.max(copyBest, copied.rowsPerSecond);
      if (ingested.rowsPerSecond > best.rowsPerSecond) best = ingested;
    }
    print(
      `${shape.name}, ${connections} connection(s): ingest ${grouped(best.rowsPerSecond)} rows/s = ${grouped(best.rowsPerSecond * samplesPerRow)} samples/s, COPY ${grouped(copyBest)} rows/s, ratio ${median(ratios).toFixed(2)} (median of ${rounds}), ${(best.bytes / samples).toFixed(1)} bytes per sample on disk, first batch ${Math.round(best.firstSeconds * 1000)} ms`,
    );
  }
}

const server = await startPostgres();
try {
  for (const shape of shapes) await measure(server, shape);
} finally {
  await server.stop();
}
process.exit(0);
