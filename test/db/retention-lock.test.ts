import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { SqlClient } from "../../src/db/client.ts";
import { detectEngine } from "../../src/db/engine.ts";
import { tryRetentionLock } from "../../src/db/sql/delete-old.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { SqlHistoryRetention } from "../../src/pipeline/store/sql/sql-history-retention.ts";
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
    const deleteOlder = () => retention.deleteOlder({ raw: 14, "1h": 0, usage: 0 });
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

type Turn = (at: "before" | "in", number: number) => Promise<void> | undefined;

/** @param turn  is waited for before each transaction, and while it is open, after its work */
async function retentionIn(client: SqlClient, turn: Turn): Promise<SqlHistoryRetention> {
  let number = 0;
  const transaction: SqlClient["transaction"] = async (work) => {
    const own = (number += 1);
    await turn("before", own);
    return client.transaction(async (opened) => {
      const result = await work(opened);
      await turn("in", own);
      return result;
    });
  };
  const turns: Pick<SqlClient, "query" | "transaction"> = { query: (...of) => client.query(...of), transaction };
  const engine = await detectEngine(client);
  return new SqlHistoryRetention(turns as SqlClient, () => engine);
}

test("of two processes that delete at the same time, one deletes all that is old", async () => {
  const url = await createDatabase(server, "retention_turns");
  const { store, client, close } = await openPostgresStore({ url, migrate: true });
  const chunks = [400, 402, 404];
  const records = chunks.map((days) => ({ uuid: "a", timeMs: Date.now() - days * 86_400_000, metrics: {} }));
  await store.ingest(messageOf("old", makeBatch(records)));
  const [isReady, drops, hasAsked, hasDropped, deletes, asksAgain] = Array.from({ length: 6 }, () =>
    Promise.withResolvers<void>(),
  );
  const afterChunks = chunks.length + 1;
  // asks for each chunk while the first one drops one; if it then deletes something else, then while the first one asks for the others
  const second = await retentionIn(client, (at, number) => {
    if (number === 1) isReady?.resolve();
    if (number === 1 && at === "before") return drops?.promise;
    if (number !== afterChunks) return undefined;
    (at === "before" ? hasAsked : deletes)?.resolve();
    return (at === "before" ? hasDropped : asksAgain)?.promise;
  });
  const first = await retentionIn(client, (at, number) => {
    if (number === 1 && at === "in") drops?.resolve();
    if (number === 2) hasDropped?.resolve();
    if (number === afterChunks) asksAgain?.resolve();
    return number === 1 && at === "in" ? hasAsked?.promise : number === 2 ? deletes?.promise : undefined;
  });
  const keepDays = { raw: 14, "1h": 0, usage: 0 };
  const ended = second.deleteOlder(keepDays).then(() => [hasAsked, deletes].forEach((each) => each?.resolve()));
  await isReady?.promise;
  await first.deleteOlder(keepDays);
  await ended;
  expect(await client.query("select from telemetry")).toEqual([]);
  await close();
});
