import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { type Collecting, recordsPerMessage, startCollecting } from "../support/collecting.ts";
import { createDatabase, withClient } from "../support/postgres-database.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

// Whatever is the matter with the database: the message stays, nothing of it is stored, /health says what it is and what
// helps; and it is stored once when that is over.

setDefaultTimeout(60_000);

/** Few, so that they can be used up. */
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

/** A database of the test's own. */
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

/** Ends what the collector has open: what is the matter is met by a new connection. */
const endOthers = (client: PostgresClient): Promise<unknown> =>
  client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()",
  );

/** Waits until the collector waits for a lock, in the middle of its transaction. */
function untilLocked(client: PostgresClient): Promise<number> {
  return until(async () => {
    const [blocked] = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    return blocked?.pid;
  });
}

/** Lets others read the telemetry and not write it, until it is let go. */
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

async function untilFault(pattern: RegExp): Promise<void> {
  // a server that shuts down says so for some milliseconds only
  await until(() => pattern.test(collecting.error() ?? ""), { everyMs: 2 });
}

/** What is stored of the messages up to a number, each of them once and whole. */
async function expectStored(client: PostgresClient, messages: number): Promise<void> {
  const [stored] = await client.query(
    `select (select count(*)::int from ingested_messages) as messages, count(*)::int as records,
       count(distinct temperature)::int as numbers, count(distinct power_draw)::int as values from telemetry`,
  );
  const values = recordsPerMessage;
  expect(stored).toEqual({ messages, records: messages * recordsPerMessage, numbers: messages, values });
}

/** A first message is stored, a second meets the trouble. */
async function goThrough(url: string, trouble: () => Promise<void>, says: RegExp): Promise<void> {
  collecting = await startCollecting(url);
  await collecting.publish(1);
  await collecting.untilStored();
  await trouble();
  await collecting.publish(2);
  await untilFault(says);
  expect(await collecting.queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 1, deadMessages: 0 });
}

async function expectRecovery(url: string): Promise<void> {
  await collecting.untilStored();
  await withClient(url, (client) => expectStored(client, 2));
  expect(await collecting.queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 0, deadMessages: 0 });
}

test("where there are too many connections a message waits, and is stored once when there are fewer", async () => {
  const url = await database("connections");
  const others = open(server.url, maxConnections);
  const inside = open(url);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const held: Promise<unknown>[] = [];
  await goThrough(
    url,
    async () => {
      await inside.query("select 1");
      await endOthers(inside);
      for (let taken = 1; taken < maxConnections; taken += 1) {
        const isTaken = Promise.withResolvers<void>();
        held.push(
          others.transaction(async (executor) => {
            await executor.query("select 1");
            isTaken.resolve();
            await released;
          }),
        );
        await Promise.race([isTaken.promise, held.at(-1)]);
      }
    },
    /too many clients already \(53300\); each collector takes COLLECTOR_WORKERS \+ 1 connections: raise .*max_connections/,
  );
  await expectStored(inside, 1);
  release();
  await Promise.all(held);
  await others.close();
  await expectRecovery(url);
});

/** Stores a first message, and lets a second one begin behind a lock. @returns takes the lock away */
async function startBehindLock(url: string): Promise<() => Promise<void>> {
  collecting = await startCollecting(url);
  await collecting.publish(1);
  await collecting.untilStored();
  const unlock = await lockTelemetry(url);
  await collecting.publish(2);
  return unlock;
}

test("a message whose statement takes too long is stored once when it no longer does", async () => {
  const url = await database("statement_timeout");
  const release = await lockTelemetry(url);
  await release();
  let unlock = release;
  await goThrough(
    `${url}?statement_timeout=200`,
    async () => void (unlock = await lockTelemetry(url)),
    /statement timeout \(57014\); the server is slow or a lock is held: see pg_stat_activity; \?statement_timeout=/,
  );
  await expectStored(open(url), 1);
  await unlock();
  await expectRecovery(url);
});

test("a message is stored once when an administrator ends the session in the middle of its transaction", async () => {
  const url = await database("terminated");
  const admin = open(url);
  const unlock = await startBehindLock(url);
  await admin.query("select pg_terminate_backend($1::int)", [await untilLocked(admin)]);
  await untilFault(/administrator command \(57P01\); an administrator ended the session or stops the server/);
  await expectStored(admin, 1);
  await unlock();
  await expectRecovery(url);
});

test("a message is stored once when a process of the server crashes, and takes the one with its transaction along", async () => {
  const url = await database("crashed");
  const admin = open(url);
  const unlock = await startBehindLock(url);
  await untilLocked(admin);
  const [own] = await admin.query<{ pid: number }>("select pg_backend_pid() as pid");
  await admin.query(`copy (select) to program 'kill -9 ${own?.pid}'`).catch(() => undefined);
  await until(() => collecting.failures.length > 0);
  expect(collecting.failures[0]).toMatch(
    /crash of another server process.*\(57P02\); the server has crashed and recovers/,
  );
  await unlock().catch(() => undefined);
  await expectRecovery(url);
});

test("a message waits while the server is shut down, and is stored once when it has started again", async () => {
  const url = await database("shutdown");
  const last = open(url);
  let ended: Promise<void> | undefined;
  await goThrough(
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
    /shutting down \(57P03\); the server starts, stops or recovers/,
  );
  await expectStored(last, 1);
  await last.close();
  await ended;
  await untilFault(/ECONNREFUSED.*; start the server, or correct DATABASE_URL/);
  await server.start();
  await expectRecovery(url);
});

test("a message waits while a standby has taken the address over, and is stored once when it is promoted", async () => {
  const url = await database("failover");
  await goThrough(
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

  /** Takes whole pages, so that no message finds room in those that are there. */
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

  test("of the tables: the server goes on, and so does the collector when there is space", async () => {
    const url = await database("tables_disk", "tables");
    await goThrough(url, () => fill(url), new RegExp(RegExp.escape(`${device}; ${hint}`)));
    await expectStored(open(url), 1);
    // trying again has left nothing behind either
    const before = collecting.failures.length;
    await until(() => collecting.failures.length > before + 1);
    await expectStored(open(url), 1);
    server.disks?.tables.free();
    await expectRecovery(url);
  });

  test("of everything: the server ends, and starts when there is space", async () => {
    const url = await database("cluster_disk");
    const admin = open(url);
    await goThrough(
      url,
      async () => {
        await admin.query("select 1");
        server.disks?.cluster.fill();
        // the log is at its part's end: whoever writes next needs another part
        const next = "select pg_logical_emit_message(true, 'test', 'next'), pg_switch_wal()";
        await admin.query(next).catch(() => undefined);
      },
      // only the one that needed it is told why, and that may be a process of the server's own
      /ECONNREFUSED.*a full disk stops it/,
    );
    expect(await server.start().catch((error: Error) => error.message)).toContain("No space left on device");
    server.disks?.cluster.free();
    await server.start();
    await expectRecovery(url);
  });
});

for (const which of ["piece", "answer"] as const) {
  test(`every message is stored once when the way to the server is cut at every ${which} of an ingest in turn`, async () => {
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
    // What was committed and whose answer was lost is found by the next try, and so is what was cut off behind the commit,
    // at the GPUs' history.
    const duplicates = collecting.results.filter(({ duplicate }) => duplicate).length;
    expect(duplicates).toBeGreaterThanOrEqual(which === "answer" ? 1 : 0);
    expect(duplicates).toBeLessThan(number / 2);
    await collecting.close();
    await proxy.close();
  });
}
