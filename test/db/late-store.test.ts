import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openLatePostgresStore, openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

setDefaultTimeout(60_000);

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()), 300_000);
afterEach(() => server.start());
afterAll(() => server.stop());

const log = unshownLog();
const message = messageOf(
  "late",
  makeBatch([{ uuid: "late", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 } }]),
);

const callsOf = ({ store, queries, retention }: OpenStore): Promise<unknown>[] => [
  store.ping(),
  store.ingest(message),
  store.progressOf("late"),
  queries.fleet.gpus({}),
  queries.fleet.latest({}),
  queries.history.rollups({ gpus: {}, range: allTime, limit: 1 }, "1m"),
  retention.deleteOlder({ raw: 1, "1h": 0, usage: 0 }),
];

test("while a database does not answer at the start, calls throw StoreUnavailable; once it answers, they succeed", async () => {
  const url = await createDatabase(server, "late");
  await server.kill();
  const clock = new ManualClock();
  const opened = await openLatePostgresStore({ url, migrate: true }, { clock, log });
  expect(opened.description).toMatch(/^PostgreSQL at \S+late, not reached yet$/);
  expect(opened.engine()).toBeUndefined();
  for (const { status, reason } of (await Promise.allSettled(callsOf(opened))) as PromiseRejectedResult[]) {
    expect(status).toBe("rejected");
    expect(reason).toMatchObject({ code: "store_unavailable", retryable: true });
    expect((reason as Error).message).toMatch(/has not been ready since the start: .*ECONNREFUSED/);
  }
  await server.start();
  await until(async () => {
    await clock.advance(2000);
    return opened.engine() !== undefined;
  });
  expect(opened.engine()).toContain("TimescaleDB");
  await Promise.all(callsOf(opened));
  await opened.close();
  await expect(opened.store.ping()).rejects.toMatchObject({ code: "store_unavailable" });
});

test("a database without the schema makes the opening fail, or wait for the migration if the database did not answer at first", async () => {
  const url = await createDatabase(server, "behind");
  const open = (clock: ManualClock) => openLatePostgresStore({ url, migrate: false }, { clock, log });
  await expect(open(new ManualClock())).rejects.toMatchObject({ code: "schema_behind" });
  await server.kill();
  const clock = new ManualClock();
  const opened = await open(clock);
  await server.start();
  const lastError = async (): Promise<string> => String(await opened.store.ping().catch((error: unknown) => error));
  await until(async () => {
    await clock.advance(2000);
    return (await lastError()).includes("has no tables of this program");
  });
  await (await openPostgresStore({ url, migrate: true })).close();
  await until(async () => {
    await clock.advance(2000);
    return opened.engine() !== undefined;
  });
  await opened.store.ping();
  await opened.close();
});

test("closing ends the attempts to reach the database", async () => {
  const url = await createDatabase(server, "never");
  await server.kill();
  const clock = new ManualClock();
  const opened = await openLatePostgresStore({ url, migrate: true }, { clock, log });
  await opened.close();
  expect(clock.sleeperCount).toBe(0);
});
