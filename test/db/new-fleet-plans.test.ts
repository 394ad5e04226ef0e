import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const otherSessions = `
select from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;

/** How often whole tables were read so far, by the sessions that have ended. */
async function sequentialScans(): Promise<Record<string, number>> {
  const tables = ["gpus", "gpu_attributes", "gpu_reports", "gpu_workloads", "reported_attributes", "source_devices"];
  const text =
    "select relname, seq_scan::float8 as scans from pg_stat_user_tables where relname = any ($1::text::text[])";
  const rows = await withClient(server.url, async (client) => {
    // a session adds its scans when it ends
    await until(async () => (await client.query(otherSessions)).length === 0);
    return client.query<{ relname: string; scans: number }>(text, [`{${tables.join(",")}}`]);
  });
  return Object.fromEntries(rows.map(({ relname, scans }) => [relname, scans]));
}

test("the first messages of a fleet read no whole table, although the tables were empty when they were analyzed", async () => {
  await (await openPostgresStore({ url: server.url, migrate: true })).close();
  const before = await sequentialScans();
  const opened = await openPostgresStore({ url: server.url, migrate: false, maxConnections: 1 });
  for (let host = 0; host < 10; host += 1) {
    const records = [0, 1].map((gpu) => ({
      ...{ uuid: `GPU-${host}-${gpu}`, hostname: `host-${host}`, timeMs: host * 1000 },
      metrics: { temperature: 40 },
    }));
    await opened.store.ingest(messageOf(`of host ${host}`, makeBatch(records)));
  }
  await opened.close();
  expect(await sequentialScans()).toEqual(before);
});
