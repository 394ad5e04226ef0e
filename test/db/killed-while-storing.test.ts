import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { manyMessages } from "../support/many-messages.ts";
import { clientOf, createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

test("of messages that a process was storing together when it was killed, none is stored; another process stores each once", async () => {
  const url = await createDatabase(server, "killed_while_storing");
  const opened = await openPostgresStore({ url, migrate: true });
  const other = clientOf(url);
  const counts = async () => {
    const [row] = await opened.client.query<{ messages: number; records: number; waiting: number }>(
      `select (select count(*)::int from ingested_messages) as messages, (select count(*)::int from telemetry) as records,
         (select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waiting`,
    );
    return row;
  };
  const child = await other.transaction(async (transaction) => {
    // the ids can be stored, the records cannot
    await transaction.query("lock table telemetry in share mode");
    const storing = Bun.spawn([process.execPath, `${import.meta.dir}/store-at-once.ts`, url]);
    await until(async () => (await counts())?.waiting === 1);
    storing.kill("SIGKILL");
    await storing.exited;
    return storing;
  });
  expect(child.signalCode).toBe("SIGKILL");
  // its session may still write the records, and then finds that nobody commits them
  await until(async () => (await counts())?.waiting === 0);
  const results = await Promise.all(manyMessages().map((message) => opened.store.ingest(message)));
  expect(results.map(({ duplicate, recordsInserted }) => [duplicate, recordsInserted])).toEqual(
    manyMessages().map(() => [false, 3]),
  );
  expect(await counts()).toMatchObject({ messages: 8, records: 24 });
  const again = await Promise.all(manyMessages().map((message) => opened.store.ingest(message)));
  expect(again.every(({ duplicate }) => duplicate)).toBe(true);
  expect(await counts()).toMatchObject({ messages: 8, records: 24 });
  await Promise.all([other.close(), opened.close()]);
});

test("the changes of GPUs that a process had not stored when it was killed are completed by the next one", async () => {
  const url = await createDatabase(server, "killed_before_changes");
  const opened = await openPostgresStore({ url, migrate: true });
  const other = clientOf(url);
  const [{ clusterId = "" } = {}] = manyMessages()[0]?.batch.gpus ?? [];
  const ofCluster = async () => {
    const { elements } = await opened.queries.history.records({ gpus: { clusterId }, range: allTime, limit: 100 });
    return elements.length;
  };
  const waits = async (): Promise<boolean> => {
    const rows = await other.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  };
  const blocker = clientOf(url);
  await blocker.transaction(async (transaction) => {
    // the records can be stored, what follows for the GPUs cannot
    await transaction.query("lock table gpu_reports in share mode");
    const storing = Bun.spawn([process.execPath, `${import.meta.dir}/store-at-once.ts`, url]);
    await until(waits);
    storing.kill("SIGKILL");
    await storing.exited;
  });
  await until(async () => !(await waits()));
  expect(await ofCluster()).toBe(0);
  await opened.store.completeChanges(8);
  expect(await ofCluster()).toBe(24);
  expect(await opened.queries.fleet.gpus({ clusterId })).toHaveLength(new Set(uuidsOf(manyMessages())).size);
  await opened.store.completeChanges(8);
  expect(await ofCluster()).toBe(24);
  await Promise.all([other.close(), blocker.close(), opened.close()]);
});

const uuidsOf = (messages: ReturnType<typeof manyMessages>): string[] =>
  messages.flatMap(({ batch }) => batch.gpus.map(({ uuid }) => uuid));
