import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { encodeTime } from "ulid";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { clientOf, createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

test("a message that is delivered again while it is being folded is not stored twice", async () => {
  const url = await createDatabase(server, "folding_while_storing");
  const opened = await openPostgresStore({ url, migrate: true });
  const other = clientOf(url);
  const id = `${encodeTime(Date.now() - 3 * 86_400_000, 10)}0000000000000001`;
  const message = messageOf(id, makeBatch([{ uuid: "gpu", timeMs: 0, metrics: { temperature: 1 } }]));
  await opened.store.ingest(message);
  await other.query("update ingested_messages set ingested_at = ingested_at - interval '2 days'");
  const untilWaiting = (count: number) =>
    until(async () => {
      const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return (await opened.client.query(waiting)).length === count;
    });
  const results = await other.transaction(async (transaction) => {
    await transaction.query("lock table folded_totals in share mode");
    const folding = opened.folding.fold();
    await untilWaiting(1);
    const again = opened.store.ingest(message);
    await untilWaiting(2);
    return { folding, again };
  });
  expect(await results.folding).toEqual({ messages: 1, forgotten: 0 });
  expect(await results.again).toMatchObject({ duplicate: true });
  expect((await opened.store.progressOf(id)).totals.messages).toBe(1);
  await Promise.all([other.close(), opened.close()]);
});
