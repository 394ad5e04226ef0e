import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

const otherSessions = `
select from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
const readByTime = `
select coalesce(sum(idx_tup_read), 0)::float8 as rows from pg_stat_user_indexes where indexrelname = 'telemetry_time'`;

/** How many rows were found by their time so far, by the sessions that have ended. */
function rowsReadByTime(url: string): Promise<number> {
  return withClient(url, async (client) => {
    // a session adds what it has read when it ends
    await until(async () => (await client.query(otherSessions)).length === 0);
    return (await client.query<{ rows: number }>(readByTime))[0]?.rows ?? NaN;
  });
}

test("settling some GPUs does not read the rows of all GPUs in the hour", async () => {
  const url = await createDatabase(server, "settling_plans", { plain: true });
  const records = Array.from({ length: 6000 }, (_, index) => ({
    uuid: `GPU-${index % 60}`,
    timeMs: Date.UTC(2025, 6, 18) + Math.floor(index / 60) * 30_000,
    metrics: { temperature: 40, ...(index % 3 === 0 ? { power_draw: index } : {}) },
  }));
  const ingesting = await openPostgresStore({ url, migrate: true });
  await ingesting.store.ingest(messageOf("an hour", makeBatch(records)));
  await ingesting.client.query("analyze telemetry");
  await ingesting.close();
  const before = await rowsReadByTime(url);
  // as many transactions as it takes until the server would keep plans for any GPUs
  const settling = await openPostgresStore({ url, migrate: false });
  const settled = await new Settler(settling.client, { recordsMax: 500, readsBefore: false }).settle(Infinity);
  await settling.close();
  expect(settled.records).toBe(6000);
  expect((await rowsReadByTime(url)) - before).toBeLessThan(100);
});
