import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

setDefaultTimeout(180_000);

let dir: string;
let database: ProvidedDatabase;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "telemetry-repair-"));
  database = await provideDatabase();
});
afterAll(async () => {
  await database.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Runs a command of the repository, such as "bun run db:repair". */
async function run(command: string, env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, "run", "--silent", ...command.split(" ").slice(2)], {
    cwd: `${import.meta.dir}/../..`,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [said, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status: child.exitCode, said: said.trimEnd().split("\n"), errors: errors.trimEnd() };
}

test("a DATA_DIR without a store is named with status 2, and nothing is made there", async () => {
  const dataDir = join(dir, "nothing");
  const whatToDo = "set DATA_DIR to the folder of the pipeline, or DATABASE_URL to its database";
  const answer = { status: 2, said: [""], errors: `there is no store in DATA_DIR ${dataDir}: ${whatToDo}` };
  expect(await run("bun run db:repair", { DATA_DIR: dataDir })).toEqual(answer);
  expect(existsSync(dataDir)).toBe(false);
});

test("a database without tables is named with status 2", async () => {
  const { status, said, errors } = await run("bun run db:repair", { DATABASE_URL: database.url });
  expect([status, said]).toEqual([2, [""]]);
  expect(errors).toEndWith(
    " has no tables of this program: correct DATABASE_URL, or start one process with MIGRATE_ON_START=true",
  );
});

test("the commands for an hour and its day of usage repair both, one after the other", async () => {
  const dataDir = join(dir, "damaged-usage");
  await makeDataDir(dataDir);
  const opened = await openPGliteStore({ dataDir });
  const begin = Date.UTC(2025, 6, 18);
  const records = [1, 25].map((hour) => ({ uuid: "GPU-a", timeMs: begin + hour * 3_600_000, metrics: {} }));
  await opened.store.ingest(messageOf("a message", makeBatch(records)));
  await new Settler(opened.client).settle(Infinity);
  while (await opened.settling.rollUpDay());
  await opened.client.query(`update usage_hours set holders = '[["j","u"]]' where from_at < '2025-07-19'`);
  await opened.close();
  const env = { DATA_DIR: dataDir };
  const commands = (await run("bun run db:repair", env)).said.filter((line) => line.startsWith("  "));
  expect(commands.map((line) => line.trim())).toEqual([
    "bun run db:repair rebuild --from 2025-07-18T01:00:00.000Z",
    "bun run db:repair rebuild-day --from 2025-07-18T00:00:00.000Z",
  ]);
  const answers = [];
  for (const command of commands) answers.push(await run(command.trim(), env));
  expect(answers.map(({ status }) => status)).toEqual([0, 0]);
  expect(answers.at(-1)?.said).toEqual(["the day of usage from 2025-07-18T00:00:00Z was made again from its hours"]);
  expect(await run("bun run db:repair", env)).toMatchObject({ status: 0, said: ["all settled history can be read"] });
});

test("the commands that are printed for damage repair it", async () => {
  const dataDir = join(dir, "damaged");
  await makeDataDir(dataDir);
  const opened = await openPGliteStore({ dataDir });
  const begin = Date.UTC(2025, 6, 18);
  const timesMs = [1000, 2000].map((ms) => begin + ms);
  const workload = { namespace: "n", pod: "p", container: "c" };
  const records = ["GPU-a", "GPU-b"].flatMap((uuid) =>
    timesMs.map((timeMs) => ({ uuid, timeMs, metrics: { gpu_utilization: 30 }, workload })),
  );
  await opened.store.ingest(messageOf("a message", makeBatch(records)));
  await new Settler(opened.client).settle(Infinity);
  const key = gpuKeyOf("GPU-a");
  await opened.client.query("update blocks set times = '\\xdeadbeef' where gpu_key = $1", [String(key)]);
  await opened.client.query(
    `insert into blocks select (jsonb_populate_record(b, '{"from_at": "2025-07-18T00:00:01.500Z"}')).* from blocks b
     where gpu_key = $1`,
    [String(key)],
  );
  await opened.client.query("update rollups set keys = '\\xdeadbeef'");
  await opened.client.query("update usage_hours set columns = '\\xdeadbeef'");
  await opened.close();
  const env = { DATA_DIR: dataDir, USAGE_ACTIVE_PERCENT: "40" };
  const { status, said } = await run("bun run db:repair", env);
  const commands = said.filter((line) => line.startsWith("  ")).map((line) => line.trim());
  expect([status, said.length, said.at(-1)]).toEqual([
    ...[1, 7],
    "4 fault(s): restore a backup, or run these commands, in this order and with the same settings",
  ]);
  expect(commands).toEqual([
    "bun run db:repair rebuild --from 2025-07-18T00:00:00.000Z",
    `bun run db:repair abandon --gpu-key ${key} --from 2025-07-18T00:00:00.000Z`,
  ]);
  // rebuilding says with status 1 that it needs the other command, too
  for (const [index, command] of commands.entries()) expect((await run(command, env)).status).toBe(index === 0 ? 1 : 0);
  expect(await run("bun run db:repair", env)).toMatchObject({ status: 0, said: ["all settled history can be read"] });
  // what was settled by the default of 5 % was active
  const repaired = await openPGliteStore({ dataDir });
  const range = { fromMs: begin, toMs: begin + 3_600_000 };
  const filter = {
    gpus: { uuids: ["GPU-b"] },
    holder: {},
    range,
    groupBy: "total",
    step: "total",
    rowsMax: 10,
  } as const;
  expect(await repaired.queries.usage.sums(filter)).toMatchObject([{ activeSeconds: 0, idleSeconds: 1 }]);
  await repaired.close();
});
