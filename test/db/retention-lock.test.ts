import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { tryRetentionLock } from "../../src/db/sql/delete-old.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

for (const [engine, plain] of [
  ["TimescaleDB", false],
  ["PostgreSQL", true],
] as const) {
  test(`on ${engine}, nothing is deleted while another process deletes`, async () => {
    const url = await createDatabase(server, `retention_lock_${engine.toLowerCase()}`, { plain });
    const { store, queries, retention, close } = await openPostgresStore({ url, migrate: true });
    const timeMs = Date.UTC(2025, 6, 18);
    await store.ingest(messageOf("old", makeBatch([{ uuid: "GPU-a", timeMs, metrics: { temperature: 1 } }])));
    const deleteOlder = () => retention.deleteOlder({ raw: 14, "1h": 0 });
    const counted = async () => (await queries.aggregates.countRecords("cluster")).count;
    await withClient(url, (client) =>
      client.transaction(async (executor) => {
        expect(await tryRetentionLock(executor)).toBe(true);
        expect(await deleteOlder()).toBeUndefined();
        expect(await counted()).toBe(1);
      }),
    );
    expect(await deleteOlder()).toContain("older than 14 days");
    expect(await counted()).toBe(0);
    await close();
  });
}
