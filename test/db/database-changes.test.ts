import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { untilResolved } from "../../dev/until.ts";
import type { DatabaseChange } from "../../src/pipeline/store/database-change.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { withClient } from "../support/postgres-database.ts";

// What a process notices of the server at its DATABASE_URL, with servers that are stopped, copied and promoted.

setDefaultTimeout(120_000);

let server: PostgresServer;
let opened: OpenStore;
let changes: DatabaseChange[];

beforeEach(async () => {
  server = await startPostgres();
  changes = [];
  const onChange = (change: DatabaseChange): void => void changes.push(change);
  opened = await openPostgresStore({ url: server.url, migrate: true, maxConnections: 2, onChange });
});
afterEach(async () => {
  await opened.close();
  await server.stop();
});

const containing = (text: string): unknown => expect.stringContaining(text);

const store = (id: string): Promise<unknown> => {
  const record = { uuid: "GPU-1", timeMs: Date.UTC(2025, 6, 18) + Number(id) * 1000, metrics: { temperature: 1 } };
  return untilResolved(() => opened.store.ingest(messageOf(id, makeBatch([record]))));
};

/** Stops the server, runs the work on its data, and starts it. */
async function whileDown(work: () => Promise<void>): Promise<void> {
  await server.kill("SIGINT");
  await work();
  await server.start();
}

const promote = (): Promise<unknown> => withClient(server.url, (client) => client.query("select pg_promote()"));

test("a restart is reported only in the log, not by /health", async () => {
  await store("1");
  await whileDown(() => Promise.resolve());
  await store("2");
  expect(changes).toMatchObject([{ kind: "restarted" }]);
  expect(opened.notice()).toBeUndefined();
});

test("a message that was published again, with another id, is not missing after a restart", async () => {
  await store("1");
  const record = { uuid: "GPU-1", timeMs: Date.UTC(2025, 6, 18) + 1000, metrics: { temperature: 1 } };
  await opened.store.ingest({ ...messageOf("1", makeBatch([record])), messageId: "again" });
  await whileDown(() => Promise.resolve());
  await store("2");
  expect(changes).toMatchObject([{ kind: "restarted" }]);
});

test("a standby that had everything and is promoted is another server that has lost nothing", async () => {
  await store("1");
  await whileDown(async () => {
    await server.standby.copy();
    await server.standby.takeOver(true);
  });
  await promote();
  await store("2");
  expect(changes).toMatchObject([{ kind: "replaced", text: containing("timeline 00000001 before, 00000002 now") }]);
  expect(opened.notice()).toMatchObject({ kind: "replaced" });
});

/** Stores the messages 1 to 3; before the last one, restores a backup that lacks message 2. */
async function restoreBackupWithout2(): Promise<void> {
  await store("1");
  await whileDown(() => server.standby.copy());
  await store("2");
  await whileDown(() => server.standby.takeOver(false));
  await store("3");
}

test("a restored backup lacks the last message, which is reported with its id", async () => {
  await restoreBackupWithout2();
  expect(changes.map(({ kind }) => kind)).toEqual(["restarted", "went_back"]);
  expect(changes[1]?.text).toContain("lacks message 2");
});

test("a role that may not read the server's identity still notices the message that is missing", async () => {
  await withClient(server.url, async (client) => {
    await client.query("create role ordinary login");
    await client.query("grant select, insert, update on all tables in schema public to ordinary");
    await client.query("grant usage, select on all sequences in schema public to ordinary");
    await client.query("grant usage on schema drizzle to ordinary");
    await client.query("grant select on all tables in schema drizzle to ordinary");
    await client.query("revoke execute on function pg_control_system() from public");
  });
  await opened.close();
  const url = new URL(server.url);
  url.username = "ordinary";
  const onChange = (change: DatabaseChange): void => void changes.push(change);
  opened = await openPostgresStore({ url: url.href, migrate: false, maxConnections: 2, onChange });
  await restoreBackupWithout2();
  expect(changes.map(({ kind }) => kind)).toEqual(["restarted", "went_back"]);
});
