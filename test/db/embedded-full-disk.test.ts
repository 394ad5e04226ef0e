import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { mountSmallDisks, type SmallDisk, type SmallDisks } from "../../dev/servers/small-disk.ts";
import { openPGliteClient } from "../support/open-store.ts";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";

// DATA_DIR on a full disk: the error is reported, the import waits, and nothing is lost or partly stored.

setDefaultTimeout(120_000);

let folder: string;
let disks: SmallDisks;
let disk: SmallDisk;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-embedded-"));
  disks = await mountSmallDisks([{ path: join(folder, "disk"), bytes: 192 * 1024 ** 2 }], process.getuid?.() ?? 0);
  disk = disks.mounted[0] as SmallDisk;
});
afterEach(async () => {
  await disks.unmount();
  await rm(folder, { recursive: true, force: true });
});

const diskIsFull = /the disk of DATA_DIR \S+ is full: \d+ MiB are free, .*; free space or enlarge it/;

test("an import on a full disk reports the error, waits until space is free, and then stores every record exactly once", async () => {
  const csvFile = join(folder, "fleet.csv");
  await writeFleetCsv(csvFile, { hosts: 8, "gpus-per-host": 8, seconds: 60, seed: 1 });
  const rows = (await Bun.file(csvFile).text()).trimEnd().split("\n").slice(1);
  const records = new Set(rows.map((row) => row.split(",")).map(([time, , , , uuid]) => `${uuid} ${time}`)).size;
  const env = { DATA_DIR: join(disk.path, "data"), CSV_FILE: csvFile, LOG_LEVEL: "warn", BATCH_SIZE: "200" };
  const pipeline = startPipeline({ ...env, RATE_LIMIT_SAMPLES_PER_SECOND: "20000" });
  const health = `${await urlOf(pipeline)}/health`;
  disk.fill();
  await until(async () => diskIsFull.test(await (await fetch(health)).text()), { timeoutMs: 60_000 });
  disk.free();
  const [report] = await pipeline.waitFor(/records stored.*samples\/s/s);
  // The last number of the line is the total in the store. A number before it counts only the records of confirmed commits; the
  // full disk can leave a commit unconfirmed.
  expect(report).toMatch(new RegExp(`records stored .* ${records.toLocaleString("en-US")}\n`));
  await stopPipeline(pipeline);
  expect(pipeline.subprocess.exitCode).toBe(0);
});

test("a database is not made on a full disk, which is said in a sentence, and nothing is left there", async () => {
  Bun.spawnSync(["fallocate", "--length", "165M", join(disk.path, "other")]);
  const dataDir = join(disk.path, "data");
  const { subprocess, output } = startPipeline({ DATA_DIR: dataDir, LOG_LEVEL: "warn" });
  expect(await subprocess.exited).toBe(1);
  expect(output()).toMatch(
    /DATA_DIR \S+: a new database takes 48 MiB, and the disk has \d+ free: free space or enlarge it/,
  );
  // the space may be gone only while the database is made
  const making = [process.execPath, join(import.meta.dir, "../../src/db/make-database.ts"), join(dataDir, "new")];
  const { exitCode, stderr } = Bun.spawnSync(making);
  expect([exitCode, stderr.toString()]).toEqual([
    1,
    expect.stringMatching(/^the embedded store .* no space is left on/),
  ]);
  expect((await readdir(dataDir)).sort()).toEqual(["lock", "new"]);
});

test("data on a full disk can be read; writes are refused until space is free", async () => {
  const client = await openPGliteClient(join(disk.path, "data"));
  const store = (value: number): Promise<unknown> =>
    client.transaction((executor) => executor.query("insert into numbers values ($1)", [value]));
  await client.query("create table numbers (value int)");
  await store(1);
  disk.fill();
  const refused = await store(2).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "store_unavailable", retryable: true });
  expect((refused as Error).message).toMatch(diskIsFull);
  expect(await client.query("select value from numbers")).toEqual([{ value: 1 }]);
  disk.free();
  await store(3);
  expect(await client.query("select value from numbers")).toEqual([{ value: 1 }, { value: 3 }]);
  await client.close();
});
