import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { type DataDir, openDataDir } from "../../src/db/data-dir.ts";
import { PGliteClient } from "../../src/db/pglite-client.ts";
import { PGliteProcess } from "../../src/db/pglite-process.ts";
import { rewrite } from "../../src/db/sql/vacuum.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

// the embedded database runs in a process of its own, which may end at any time

setDefaultTimeout(60_000);

let folder: string;
let dataDir: DataDir;
let client: PGliteClient;
const notices: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-pglite-"));
  await makeDataDir(folder);
  dataDir = await openDataDir(folder);
  const { databaseDir, lock } = dataDir;
  const onNotice = (notice: string): unknown => notices.push(notice);
  const session = await PGliteProcess.open({
    databaseDir,
    lockDescriptor: lock.descriptor,
    temporaryMaxMebibytes: 2,
    onNotice,
  });
  client = PGliteClient.on(session, databaseDir);
  await client.query("create table numbers (value int)");
});
afterAll(async () => {
  await client.close();
  dataDir.lock.release();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await client.transaction((transaction) => transaction.query("delete from numbers"));
  notices.length = 0;
});

const numbers = async (): Promise<number[]> =>
  (await client.query<{ value: number }>("select value from numbers order by value")).map(({ value }) => value);
const add = (value: number): Promise<unknown> =>
  client.transaction((transaction) => transaction.query("insert into numbers values ($1)", [value]));
const errorOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error("it resolved")),
    (error: unknown) => error as Error,
  );

/** The pid of the database's process; undefined if it has none. */
async function databasePid(): Promise<number | undefined> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (command.includes("run-pglite.ts") && command.includes(folder)) return Number(entry);
  }
  return undefined;
}

const filesIn = (path: string): Promise<string[]> => readdir(join(dataDir.databaseDir, path)).catch(() => []);

async function killDatabase(): Promise<void> {
  const pid = await databasePid();
  process.kill(pid ?? NaN, "SIGKILL");
  await until(async () => (await databasePid()) !== pid);
}

test("a statement does not stop the process, and the database counts as available meanwhile", async () => {
  let isDone = false;
  const slow = client.query("select pg_sleep(0.5)").then(() => (isDone = true));
  await Bun.sleep(20);
  await client.probe();
  expect(isDone).toBe(false);
  await slow;
});

test("light questions and transactions take turns with heavy ones, whatever the order in which they came", async () => {
  const order: string[] = [];
  const heavy = client.forQuestions("heavy", undefined);
  const done = [0, 1, 2].map(() => heavy.query("select pg_sleep(0.05)").then(() => order.push("heavy")));
  await Bun.sleep(10);
  done.push(client.query("select 1").then(() => order.push("light")));
  done.push(add(1).then(() => order.push("write")));
  await Promise.all(done);
  expect(order).toEqual(["heavy", "light", "write", "heavy", "heavy"]);
});

test("a query that takes too long is ended with its process; what waits for it goes on, and nothing is lost", async () => {
  await add(1);
  const before = await databasePid();
  const slow = errorOf(client.forQuestions("heavy", 300).query("select pg_sleep(60)"));
  const adding = add(2);
  expect(await slow).toMatchObject({ code: "query_too_costly" });
  await adding;
  expect(await numbers()).toEqual([1, 2]);
  expect(await databasePid()).not.toBe(before);
  expect(notices).toEqual([expect.stringContaining("a statement was not done after 0.3 s")]);
});

test("when the process is killed amid a transaction, none of its statements take effect, and the next one succeeds", async () => {
  const failing = client.transaction(async (transaction) => {
    await transaction.query("insert into numbers values (1)");
    const killing = killDatabase();
    transaction.send("insert into numbers values (2)");
    await killing;
    transaction.send("insert into numbers values (3)");
    await transaction.query("insert into numbers values (4)");
  });
  const next = add(5);
  const error = await errorOf(failing);
  expect(error.message).toContain("SIGKILL ended it, as the kernel does when memory is short");
  expect(error).toMatchObject({ code: "store_unavailable", retryable: true });
  await next;
  expect(await numbers()).toEqual([5]);
  expect(notices).toEqual([
    expect.stringContaining("the embedded store's process ended and is started again: SIGKILL"),
  ]);
});

test("when parts of the database vanish while its process is down, it is unavailable, and is not made anew", async () => {
  await add(1);
  const version = join(folder, "pglite", "PG_VERSION");
  await rename(version, `${version}.away`);
  await killDatabase();
  const isDamaged = /is damaged: PG_VERSION missing\. Nothing was changed\. Restore a backup/;
  await until(async () => isDamaged.test((await errorOf(client.query("select 1"))).message));
  expect(await errorOf(client.probe())).toMatchObject({ code: "store_unavailable" });
  await rename(`${version}.away`, version);
  expect(await numbers()).toEqual([1]);
});

test("a question whose temporary files would take more than they may is refused, and leaves none", async () => {
  const reader = client.forQuestions("heavy", 30_000);
  const sorted = "select count(*) from (select g from generate_series(1, 600000) g order by g::text offset 1) s";
  const refused = await errorOf(reader.query(sorted));
  expect(refused).toMatchObject({ code: "query_too_costly" });
  expect(refused.message).toContain("temp_file_limit");
  expect(await filesIn("base/pgsql_tmp")).toEqual([]);
  expect(notices).toEqual([]);
  // as VACUUM FULL of a large table, which must not fail
  await client.query("create index numbers_value on numbers (value)");
  const addMany = "insert into numbers select a * 1000 + b from generate_series(1, 300) a, generate_series(1, 1000) b";
  await client.transaction((transaction) => transaction.query(addMany));
  await client.query("set maintenance_work_mem = '1MB'");
  await rewrite(client, "numbers");
  expect(await errorOf(reader.query(sorted))).toMatchObject({ code: "query_too_costly" });
});

test("temporary files of a process that was killed are deleted", async () => {
  await killDatabase();
  const folderOfFiles = join(dataDir.databaseDir, "base/pgsql_tmp");
  await mkdir(folderOfFiles, { recursive: true });
  await writeFile(join(folderOfFiles, "pgsql_tmp1.0"), "left");
  await client.query("select").catch(() => undefined);
  await client.query("select");
  expect(await filesIn("base/pgsql_tmp")).toEqual([]);
});
