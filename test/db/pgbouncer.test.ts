import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf as makeMessage } from "../../dev/make-batch.ts";
import { type Pgbouncer, startPgbouncer } from "../../dev/servers/pgbouncer.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";

// pgbouncer as Debian ships it, in the mode that providers use: each transaction may run in another session. `bun run test:pgbouncer` tries
// the other modes, and what administrators set.

let server: PostgresServer;
let bouncer: Pgbouncer;
beforeAll(async () => {
  server = await startPostgres();
  bouncer = await startPgbouncer(server.url, ["pool_mode = transaction"]);
}, 300_000);
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

test("a pgbouncer in transaction mode works with ?prepare=false, which the error without it names", async () => {
  const error = await openPostgresStore({ url: bouncer.url, migrate: true }).catch(messageOf);
  expect(error).toContain("a pooler (pgbouncer) answers there: add ?prepare=false to DATABASE_URL");
  const { store, queries, close } = await openPostgresStore({ url: `${bouncer.url}?prepare=false`, migrate: true });
  try {
    const timeMs = Date.UTC(2025, 6, 18);
    const messages = Array.from({ length: 20 }, (_, index) =>
      makeMessage(`m${index}`, makeBatch([{ uuid: `gpu-${index}`, timeMs, metrics: { temperature: 1 } }])),
    );
    const results = await Promise.all(messages.map((message) => store.ingest(message)));
    expect(results.map(({ recordsInserted }) => recordsInserted)).toEqual(messages.map(() => 1));
    expect(await queries.fleet.gpus({})).toHaveLength(20);
  } finally {
    await close();
  }
});
