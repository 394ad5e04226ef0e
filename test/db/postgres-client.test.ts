import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { PostgresClient, type PostgresClientOptions } from "../../src/db/postgres-client.ts";
import { tooCostly } from "../../src/db/too-costly.ts";
import { stopwatch, systemClock } from "../../src/kit/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(60_000);

let server: PostgresServer;
const clients: PostgresClient[] = [];

function open(options: Partial<PostgresClientOptions> = {}): PostgresClient {
  const client = new PostgresClient({ url: server.url, maxConnections: 2, clock: systemClock, ...options });
  clients.push(client);
  return client;
}

beforeAll(async () => void (server = await startPostgres()), 300_000);
afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))));
afterAll(() => server.stop());

const unavailable = { code: "store_unavailable", retryable: true };
const rejected = { code: "store_rejected", retryable: false };

const urlWithPassword = (host: string): string => `postgres://someone:s3cret@${host}/telemetry`;

const containing = (text: string): unknown => expect.stringContaining(text);

const errorOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error("it resolved")),
    (error: Error) => error,
  );

describe("errors state whether a retry can help", () => {
  test.each([
    ["select 1 / 0", "division by zero (22012)"],
    ["select 'x'::text::int", "invalid input syntax"],
  ])("%p is refused, and the connection remains usable", async (text, message) => {
    const client = open({ maxConnections: 1 });
    const pid = () => client.query("select pg_backend_pid() as pid");
    const before = await pid();
    expect(await errorOf(client.query(text))).toMatchObject({ ...rejected, message: containing(message) });
    expect(await errorOf(client.transaction((executor) => executor.query(text)))).toMatchObject(rejected);
    expect(await pid()).toEqual(before);
  });

  test("a missing table is a retryable error, because an operator can fix the schema", async () => {
    const failure = await errorOf(open().query("select from nowhere"));
    expect(failure).toMatchObject({ ...unavailable, message: containing('relation "nowhere" does not exist (42P01)') });
  });

  test("a question that the server ends because of a deadlock with a migration is asked again", async () => {
    const [reader, migrator, observer] = [open(), open(), open()];
    for (const name of ["locked_first", "locked_second"]) await migrator.query(`create table ${name} (n int)`);
    const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%locked_second, %'";
    let asked: Promise<unknown> = Promise.resolve();
    await migrator.transaction(async (transaction) => {
      await transaction.query("lock table locked_first in access exclusive mode");
      asked = reader.query("select count(*)::int as rows from locked_second, locked_first");
      await until(async () => (await observer.query(waiting)).length === 1);
      await transaction.query("lock table locked_second in access exclusive mode");
    });
    expect(await asked).toEqual([{ rows: 0 }]);
  });

  test("a question that needs more temporary files than the server allows is too costly; no other statement is", async () => {
    const sorted = "select count(*) from (select g from generate_series(1, 600000) g order by g::text offset 1) s";
    const run = (client: PostgresClient) =>
      errorOf(
        client.snapshot(async (executor) => {
          await executor.query("set local temp_file_limit = '1MB'");
          return executor.query(sorted);
        }),
      );
    const queryLimit = { timeoutMs: 30_000, tooLong: () => tooCostly(30_000) };
    expect(await run(open({ queryLimit }))).toMatchObject({
      code: "query_too_costly",
      message: containing("temp_file_limit"),
    });
    expect(await run(open())).toMatchObject(unavailable);
  });

  test("a deadlock and a statement's timeout are retryable errors", async () => {
    const client = open();
    await client.query("create table pair (id int primary key, n int); insert into pair values (1, 0), (2, 0)");
    const add = (id: number) => `update pair set n = n + 1 where id = ${id}`;
    const both = Promise.withResolvers<void>();
    let updates = 0;
    const inOrder = (ids: readonly [number, number]) =>
      client.transaction(async (executor) => {
        await executor.query(add(ids[0]));
        if ((updates += 1) === 2) both.resolve();
        await both.promise;
        await executor.query(add(ids[1]));
      });
    const results = await Promise.allSettled([inOrder([1, 2]), inOrder([2, 1])]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = results.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    expect(lost.reason).toMatchObject({ ...unavailable, message: containing("40P01") });
    expect(await client.query("select n from pair order by id")).toEqual([{ n: 1 }, { n: 1 }]);

    const slow = client.transaction(async (executor) => {
      await executor.query("set local statement_timeout = 50");
      await executor.query("select pg_sleep(5)");
    });
    expect(await errorOf(slow)).toMatchObject({ ...unavailable, message: containing("57014") });
  });

  test("an error names a missing server, a missing role or a wrong setting, without the password", async () => {
    const { host } = new URL(server.url);
    const failures = {
      [urlWithPassword("127.0.0.1:1")]: "127.0.0.1:1/telemetry failed: connect ECONNREFUSED",
      [urlWithPassword("no-such-host.invalid")]: "no-such-host.invalid:5432/telemetry failed:",
      [urlWithPassword(host)]: 'role "someone" does not exist (28000)',
      [`${server.url}?colour=blue`]: 'unrecognized configuration parameter "colour"',
    };
    for (const [url, expected] of Object.entries(failures)) {
      const { message, cause } = await errorOf(open({ url }).query("select 1"));
      expect(message).toContain(expected);
      expect(`${message} ${String(cause)}`).not.toContain("s3cret");
    }
    const unusable = urlWithPassword("one:5432,two:5432");
    expect(() => open({ url: unusable })).toThrow("DATABASE_URL must be");
    expect(() => open({ url: unusable })).not.toThrow("s3cret");
  });
});

describe("parameters and results", () => {
  test("parameters are sent as texts that the statement converts, and results have the types of its columns", async () => {
    const text = `select $1::text::float8[] = array[5e-324, null]::float8[] as array, $2::float8 as double, $3::bigint as big,
      $4::boolean as yes, $5::text as nothing, $6::text::jsonb as json, 9007199254740991::float8 as exact`;
    const params = ["{5e-324,NULL}", 1 / 3, 2 ** 53, true, null, '{"a": "\\\\"}'];
    for (const url of [server.url, `${server.url}?prepare=false`]) {
      expect(await open({ url }).query(text, params)).toEqual([
        {
          array: true,
          double: 1 / 3,
          big: "9007199254740992",
          yes: true,
          nothing: null,
          json: { a: "\\" },
          exact: 2 ** 53 - 1,
        },
      ]);
    }
  });
});

describe("connections", () => {
  test("are used again, but not after they were idle for longer than a firewall may keep them", async () => {
    const clock = new ManualClock();
    const client = open({ clock });
    const pid = async (): Promise<unknown> =>
      (await client.query<{ pid: number }>("select pg_backend_pid() as pid"))[0]?.pid;
    const first = await pid();
    await clock.advance(29_000);
    expect(await pid()).toBe(first);
    await clock.advance(30_000);
    expect(await pid()).not.toBe(first);
  });

  test("that a firewall has cut silently while they were idle cost 2 s, whether they read or write, and a write is done once", async () => {
    const { hostname: host, port } = new URL(server.url);
    const proxy = await openTcpProxy({ host, port: Number(port) });
    const clock = new ManualClock();
    const client = open({ url: server.url.replace(port, String(proxy.port)), clock, maxConnections: 3 });
    const cut = async (): Promise<void> => {
      await Promise.all([1, 2, 3].map(() => client.query("select pg_sleep(0.05)")));
      await clock.advance(1000);
      proxy.dropSilently();
    };
    const after2s = async <T>(calls: readonly Promise<T>[]): Promise<T[]> => {
      await until(() => clock.sleeperCount === 2 * calls.length);
      await clock.advance(2000);
      return Promise.all(calls);
    };
    try {
      await client.query("create table dropped (n int)");
      await cut();
      expect(await after2s([client.query("select 1 as one")])).toEqual([[{ one: 1 }]]);
      await cut();
      const write = (n: number): Promise<unknown> =>
        client.transaction((transaction) => transaction.query("insert into dropped values ($1)", [n]));
      await after2s([write(1), write(2), write(3)]);
      // a connection that answers is used again
      await clock.advance(1000);
      expect(await client.query("select n from dropped order by n")).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    } finally {
      await proxy.close();
    }
  });

  test("are limited to the given number, and waiting calls get their turn", async () => {
    const client = open({ maxConnections: 2 });
    const pids = await Promise.all(
      Array.from({ length: 20 }, () => client.query<{ pid: number }>("select pg_backend_pid() as pid")),
    );
    expect(new Set(pids.map(([row]) => row?.pid)).size).toBeLessThanOrEqual(2);
  });

  test("limit the time of statements and of idle transactions, with and without ?prepare=false", async () => {
    const ask =
      "select current_setting('statement_timeout') as s, current_setting('idle_in_transaction_session_timeout') as i, current_setting('tcp_user_timeout') as t";
    for (const url of [server.url, `${server.url}?prepare=false`]) {
      const [settings] = await open({ url }).transaction((executor) => executor.query(ask));
      expect(settings).toEqual({ s: "30s", i: "30s", t: "30000" });
    }
  });

  test("end the transaction of a process that is frozen while the server sends it an answer", async () => {
    const locked = Promise.withResolvers<unknown>();
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/ask-for-much.ts`, server.url], {
      ipc: locked.resolve,
    });
    try {
      await locked.promise;
      const client = open();
      const asking = "select from pg_stat_activity where state = 'active' and query like 'select repeat%'";
      await until(async () => (await client.query(asking)).length > 0);
      child.kill("SIGSTOP");
      const isFree = async (): Promise<boolean> =>
        (await client.query<{ free: boolean }>("select pg_try_advisory_xact_lock(4711) as free"))[0]?.free === true;
      expect(await isFree()).toBe(false);
      await until(isFree);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("a transaction whose connection is lost fails as a whole, including its later statements", async () => {
    const client = open({ maxConnections: 1 });
    await client.query("create table halves (n int)");
    const admin = open();
    const torn = client.transaction(async (executor) => {
      const [row] = await executor.query<{ pid: number }>("select pg_backend_pid() as pid");
      await executor.query("insert into halves values (1)");
      await admin.query("select pg_terminate_backend($1::int)", [row?.pid]);
      await executor.query("insert into halves values (2)").catch(() => undefined);
      await executor.query("insert into halves values (3)");
    });
    expect(await errorOf(torn)).toMatchObject(unavailable);
    expect(await client.query("select n from halves")).toEqual([]);
  });

  test("calls to a frozen server fail: on a new connection after about 5 s; on an open one, or waiting for one, after 40 s", async () => {
    const clock = new ManualClock();
    const client = open({ clock, maxConnections: 2 });
    await Promise.all([client.query("select pg_sleep(0.01)"), client.query("select pg_sleep(0.01)")]);
    server.signal("SIGSTOP");
    try {
      const inTransaction = errorOf(client.transaction((executor) => executor.query("select 1")));
      const alone = errorOf(client.query("select 1"));
      const waiting = errorOf(client.query("select 1"));
      await until(() => clock.sleeperCount === 3);
      await clock.advance(40_000);
      for (const error of await Promise.all([inTransaction, alone, waiting])) {
        expect(error).toMatchObject({ ...unavailable, message: containing("within 40 s") });
      }
      const connected = stopwatch();
      expect(await errorOf(client.query("select 1"))).toMatchObject(unavailable);
      expect(connected()).toBeWithin(4000, 8000);
    } finally {
      server.signal("SIGCONT");
    }
    expect(await client.query("select 1 as one")).toEqual([{ one: 1 }]);
    const ownSessions = "select from pg_stat_activity where application_name = 'gpu-telemetry-pipeline'";
    // one session is left once the server has noticed that the abandoned connections were closed
    await until(async () => (await client.query(ownSessions)).length === 1);
  });

  test.each(["SIGKILL", "SIGINT"] as const)(
    "calls fail with retryable errors after %s, and succeed again after the server's restart",
    async (signal) => {
      const client = open();
      let going = true;
      let done = 0;
      let failures = 0;
      const work = async (): Promise<void> => {
        while (going) {
          await client
            .transaction(async (executor) => {
              await executor.query("select 1");
              await executor.query("select pg_sleep(0.01)");
              await executor.query("select $1::text", ["x".repeat(2000)]);
            })
            .then(
              () => (done += 1),
              async (error: unknown) => {
                failures += 1;
                expect(error).toMatchObject(unavailable);
                await Bun.sleep(10); // a pause, as callers make between two tries
              },
            );
        }
      };
      const workers = [work(), work(), work(), work()];
      await until(() => done > 10);
      await server.kill(signal);
      await until(() => failures >= 2 * workers.length);
      await server.start();
      const before = done;
      await until(() => done > before + 10);
      going = false;
      await Promise.all(workers);
    },
  );
});

describe("closing", () => {
  test("waits for running statements, and a second close changes nothing", async () => {
    const client = open();
    const underWay = client.query("select 1 as one from pg_sleep(0.3)");
    await until(
      async () => (await open().query("select from pg_stat_activity where query like '%pg_sleep(0.3)'")).length > 0,
    );
    await Promise.all([client.close(), client.close()]);
    expect(await underWay).toEqual([{ one: 1 }]);
    expect(await errorOf(client.query("select 1"))).toMatchObject(unavailable);
    expect(await errorOf(client.transaction(() => Promise.resolve()))).toMatchObject(unavailable);
  });

  test("gives running calls a limited time, and refuses waiting calls", async () => {
    const clock = new ManualClock();
    const client = open({ maxConnections: 1, clock });
    const underWay = errorOf(client.query("select pg_sleep(100)"));
    const waiting = errorOf(client.query("select 1"));
    await until(() => clock.sleeperCount === 2);
    const closed = client.close();
    expect(await waiting).toMatchObject({ ...unavailable, message: containing("is closed") });
    await until(() => clock.sleeperCount === 2);
    await clock.advance(5000);
    await closed;
    expect(await underWay).toMatchObject(unavailable);
  });
});
