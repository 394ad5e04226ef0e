import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { type Collecting, recordsPerMessage, startCollecting } from "../support/collecting.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

// While the database has an error, a message stays in the queue, no part of it is stored, and the collector reports the cause
// and the remedy. After the error has ended, the message is stored exactly once.

setDefaultTimeout(60_000);

/** Few, so that a test can use all of them. */
const maxConnections = 12;

let server: PostgresServer;
let collecting: Collecting;
const clients: PostgresClient[] = [];

beforeAll(async () => {
  server = await startPostgres({ diskBytes: { cluster: 384 * 1024 ** 2, tables: 64 * 1024 ** 2 } });
  await withClient(server.url, (client) => client.query(`alter system set max_connections = ${maxConnections}`));
  await restart();
}, 300_000);
afterEach(async () => {
  await collecting?.close();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  server.disks?.tables.free();
  server.disks?.cluster.free();
  await server.start();
});
afterAll(() => server.stop());

async function restart(): Promise<void> {
  await server.kill("SIGINT");
  await server.start();
}

/** Creates a database for one test. @returns its URL */
async function database(name: string, tablespace = "pg_default"): Promise<string> {
  const url = await createDatabase(server, name, { tablespace });
  await (await openPostgresStore({ url, migrate: true })).close();
  return url;
}

function open(url: string, connections = 1): PostgresClient {
  const client = new PostgresClient({ url, maxConnections: connections, clock: systemClock });
  clients.push(client);
  return client;
}

/** Ends the other sessions of the client's database, which are the collector's. The collector then needs a new connection. */
const endOthers = (client: PostgresClient): Promise<unknown> =>
  client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()",
  );

/** Waits until the collector's transaction waits for a lock. @returns the process id of the session */
function untilLocked(client: PostgresClient): Promise<number> {
  return until(async () => {
    const [blocked] = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    return blocked?.pid;
  });
}

/** Locks the table telemetry against writes. @returns a function that releases the lock */
async function lockTelemetry(url: string): Promise<() => Promise<void>> {
  const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const lock = open(url).transaction(async (executor) => {
    await executor.query("lock table telemetry in share mode");
    locked.resolve();
    await released.promise;
  });
  await locked.promise;
  return () => {
    released.resolve();
    return lock;
  };
}

async function untilError(pattern: RegExp): Promise<void> {
  // a server reports its shutdown for only a few milliseconds
  await until(() => pattern.test(collecting.error() ?? ""), { everyMs: 2 });
}

/** Expects that this number of messages is stored, each once and completely. */
async function expectStored(client: PostgresClient, messages: number): Promise<void> {
  const [stored] = await client.query(
    `select (select count(*)::int from ingested_messages) as messages, count(*)::int as records,
       count(distinct temperature)::int as numbers, count(distinct power_draw)::int as values from telemetry`,
  );
  const values = recordsPerMessage;
  expect(stored).toEqual({ messages, records: messages * recordsPerMessage, numbers: messages, values });
}

/** Stores a first message, causes an error, publishes a second message, and waits until storing it fails with the error. */
async function failSecondMessage(url: string, causeError: () => Promise<void>, pattern: RegExp): Promise<void> {
  collecting = await startCollecting(url);
  await collecting.publish(1);
  await collecting.untilStored();
  await causeError();
  await collecting.publish(2);
  await untilError(pattern);
  expect(await collecting.queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 1, deadMessages: 0 });
}

async function expectRecovery(url: string): Promise<void> {
  await collecting.untilStored();
  await withClient(url, (client) => expectStored(client, 2));
  expect(await collecting.queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 0, deadMessages: 0 });
}

test("a message waits while the server has too many connections, and is stored exactly once after others are closed", async () => {
  const url = await database("connections");
  const others = open(server.url, maxConnections);
  const inside = open(url);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const transactions: Promise<unknown>[] = [];
  await failSecondMessage(
    url,
    async () => {
      await inside.query("select 1");
      await endOthers(inside);
      for (let taken = 1; taken < maxConnections; taken += 1) {
        const isTaken = Promise.withResolvers<void>();
        transactions.push(
          others.transaction(async (executor) => {
            await executor.query("select 1");
            isTaken.resolve();
            await released;
          }),
        );
        await Promise.race([isTaken.promise, transactions.at(-1)]);
      }
    },
    /too many clients already \(53300\); each process uses up to COLLECTOR_WORKERS \+ 1 connections .*: raise .*max_connections/,
  );
  await expectStored(inside, 1);
  release();
  await Promise.all(transactions);
  await others.close();
  await expectRecovery(url);
});

/** Stores a first message, and publishes a second one, which waits for a lock. @returns a function that releases the lock */
async function startBehindLock(url: string): Promise<() => Promise<void>> {
  collecting = await startCollecting(url);
  await collecting.publish(1);
  await collecting.untilStored();
  const unlock = await lockTelemetry(url);
  await collecting.publish(2);
  return unlock;
}

test("a message whose statement timed out behind a lock is stored once after the lock is released", async () => {
  const url = await database("statement_timeout");
  let unlock = (): Promise<void> => Promise.resolve();
  await failSecondMessage(
    `${url}?statement_timeout=200`,
    async () => void (unlock = await lockTelemetry(url)),
    /statement timeout \(57014\); the server is slow or a lock is held: see pg_stat_activity; \?statement_timeout=40000 in /,
  );
  await expectStored(open(url), 1);
  await unlock();
  await expectRecovery(url);
});

test("a message is stored exactly once when an administrator ends the session in the middle of its transaction", async () => {
  const url = await database("terminated");
  const admin = open(url);
  const unlock = await startBehindLock(url);
  await admin.query("select pg_terminate_backend($1::int)", [await untilLocked(admin)]);
  await untilError(/administrator command \(57P01\); an administrator ended the session or is stopping the server/);
  await expectStored(admin, 1);
  await unlock();
  await expectRecovery(url);
});

test("a message whose session was ended by the crash of another server process is stored exactly once", async () => {
  const url = await database("crashed");
  const admin = open(url);
  const unlock = await startBehindLock(url);
  await untilLocked(admin);
  const [own] = await admin.query<{ pid: number }>("select pg_backend_pid() as pid");
  await admin.query(`copy (select) to program 'kill -9 ${own?.pid}'`).catch(() => undefined);
  await until(() => collecting.failures.length > 0);
  expect(collecting.failures[0]).toMatch(
    /crash of another server process.*\(57P02\); the server has crashed and is recovering/,
  );
  await unlock().catch(() => undefined);
  await expectRecovery(url);
});

test("a message waits while the server is shut down, and is stored exactly once after the server has started again", async () => {
  const url = await database("shutdown");
  const last = open(url);
  let ended: Promise<void> | undefined;
  await failSecondMessage(
    url,
    async () => {
      await last.query("select 1");
      await endOthers(last);
      ended = server.kill("SIGTERM");
      const isEnding = (): Promise<boolean> =>
        withClient(url, (client) => client.query("select 1")).then(
          () => false,
          (error: Error) => error.message.includes("57P03"),
        );
      await until(isEnding, { everyMs: 2 });
    },
    /shutting down \(57P03\); the server is starting, stopping or recovering/,
  );
  await expectStored(last, 1);
  await last.close();
  await ended;
  await untilError(/ECONNREFUSED.*; start the server, or correct DATABASE_URL/);
  await server.start();
  await expectRecovery(url);
});

test("a message waits while a standby answers at the server's address, and is stored exactly once after its promotion", async () => {
  const url = await database("failover");
  await failSecondMessage(
    url,
    async () => {
      await withClient(url, (admin) => admin.query("copy (select) to '/srv/data/standby.signal'"));
      await restart();
    },
    /read-only transaction \(25006\); the server is a standby or read-only: DATABASE_URL must lead to the primary/,
  );
  await withClient(url, async (admin) => {
    expect(await admin.query("select pg_is_in_recovery() as standby")).toEqual([{ standby: true }]);
    await expectStored(admin, 1);
    await admin.query("select pg_promote()");
  });
  await expectRecovery(url);
});

describe("a message waits for space on the disk", () => {
  const hint = "the database's disk is full: free space or enlarge it (data, tablespaces, pg_wal)";
  const device = "No space left on device (53100)";

  /** Fills the disk of the tables; rows of a temporary table then take any space that is left. */
  async function fill(url: string): Promise<void> {
    server.disks?.tables.fill();
    const client = open(url);
    await client.query("create temporary table filler (text text)").catch(() => undefined);
    for (;;) {
      const filled = await client
        .query("insert into filler select repeat('x', 1000) from generate_series(1, 100)")
        .then(
          () => false,
          () => true,
        );
      if (filled) return;
    }
  }

  test("of the tables: the server keeps running, and the collector continues after space is free", async () => {
    const url = await database("tables_disk", "tables");
    await failSecondMessage(url, () => fill(url), new RegExp(RegExp.escape(`${device}; ${hint}`)));
    await expectStored(open(url), 1);
    // the retries have not stored a part of the message, either
    const before = collecting.failures.length;
    await until(() => collecting.failures.length > before + 1);
    await expectStored(open(url), 1);
    server.disks?.tables.free();
    await expectRecovery(url);
  });

  test("of the cluster's data and write-ahead log: the server goes down, and can start again after space is free", async () => {
    const url = await database("cluster_disk");
    const admin = open(url);
    await failSecondMessage(
      url,
      async () => {
        await admin.query("select 1");
        server.disks?.cluster.fill();
        // ends the log's segment, so that the next write needs a new one
        const next = "select pg_logical_emit_message(true, 'test', 'next'), pg_switch_wal()";
        await admin.query(next).catch(() => undefined);
      },
      // only the process that needed the segment reports the reason, and the collector's session need not be that process
      /ECONNREFUSED.*a full disk stops it/,
    );
    expect(await server.start().catch((error: Error) => error.message)).toContain("No space left on device");
    server.disks?.cluster.free();
    await server.start();
    await expectRecovery(url);
  });
});

for (const [which, place] of [
  ["piece", "each piece of data sent for an ingest"],
  ["answer", "each of the server's answers during an ingest"],
] as const) {
  test(`every message is stored exactly once when the connection to the server is cut in turn at ${place}`, async () => {
    const url = new URL(await createDatabase(server, `cut_${which}`));
    await (await openPostgresStore({ url: url.href, migrate: true })).close();
    const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    const through = new URL(url);
    through.port = String(proxy.port);
    collecting = await startCollecting(through.href);
    let number = 0;
    do {
      number += 1;
      proxy.cutAt(number, which);
      await collecting.publish(number);
      await collecting.untilStored();
    } while (proxy.hasCut);
    await withClient(url.href, (client) => expectStored(client, number));
    expect(number).toBeGreaterThan(4);
    expect(collecting.failures.length).toBeGreaterThanOrEqual(number - 1);
    // The next try reports a duplicate if the answer to the commit was lost, or if the connection was cut after the commit,
    // during the write of the GPUs' history.
    const duplicates = collecting.results.filter(({ duplicate }) => duplicate).length;
    expect(duplicates).toBeGreaterThanOrEqual(which === "answer" ? 1 : 0);
    expect(duplicates).toBeLessThan(number / 2);
    await collecting.close();
    await proxy.close();
  });
}
