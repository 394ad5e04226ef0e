import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataDirUnusable } from "../../src/domain/errors.ts";
import { openDataDir } from "../../src/db/data-dir.ts";
import { lockDataDir } from "../../src/db/data-dir-lock.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

setDefaultTimeout(60_000);

const root = mkdtempSync(join(tmpdir(), "data-dir-"));
const lockers: { stop: () => Promise<void> }[] = [];
afterAll(async () => {
  await Promise.all(lockers.map(({ stop }) => stop()));
  rmSync(root, { recursive: true });
});

/** The lock of a process that has died: Linux has no pid of this size. */
const stale = "4194305 1";

function directory(name: string): string {
  const dir = join(root, name);
  mkdirSync(dir);
  return dir;
}

/** Starts a process that tries to lock directories. `ask` resolves with "locked" or the error.
 *  @param by a command that starts the process */
async function startLocker(by: readonly string[] = []) {
  let answered: (answer: string) => void = () => undefined;
  const next = () => new Promise<string>((resolve) => (answered = resolve));
  const ready = next();
  const child = Bun.spawn([...by, process.execPath, join(import.meta.dir, "lock-data-dirs.ts")], {
    ipc: (answer: string) => answered(answer),
  });
  const ask = (dir: string): Promise<string> => {
    const answer = next();
    child.send(dir);
    return answer;
  };
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  lockers.push({ stop });
  await ready;
  return { ask, stop, pid: child.pid };
}

describe("the lock of DATA_DIR", () => {
  test("belongs to exactly one of several processes that find the lock of a dead process at the same time", async () => {
    const several = await Promise.all(Array.from({ length: 4 }, () => startLocker()));
    for (let round = 0; round < 100; round += 1) {
      const dir = directory(`round-${round}`);
      writeFileSync(join(dir, "lock"), stale);
      const answers = await Promise.all(several.map(({ ask }) => ask(dir)));
      const refusals = answers.filter((answer) => answer !== "locked");
      expect(refusals).toHaveLength(several.length - 1);
      for (const refusal of refusals) expect(refusal).toContain("is in use by process");
    }
  });

  test("ends with the process that has it, however that dies", async () => {
    const dir = directory("killed");
    const { ask, stop, pid } = await startLocker();
    expect(await ask(dir)).toBe("locked");
    await expect(lockDataDir(dir)).rejects.toThrow(`is in use by process ${pid}; stop it or choose another DATA_DIR`);
    await stop();
    (await lockDataDir(dir)).release();
  });

  const apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const canBeApart = Bun.which("unshare") !== null && Bun.spawnSync([...apart, "true"]).exitCode === 0;

  test.skipIf(!canBeApart)("holds between pid namespaces, and so between containers", async () => {
    const dir = directory("containers");
    const container = await startLocker(apart);
    const opened = await lockDataDir(dir);
    const refusal = /is in use by a process of another container or machine, .*; stop it or choose another DATA_DIR/;
    expect(await container.ask(dir)).toMatch(refusal);
    opened.release();
    expect(await container.ask(dir)).toBe("locked");
    await expect(lockDataDir(dir)).rejects.toThrow(refusal);
    await container.stop();
    (await lockDataDir(dir)).release();
  });

  test("is not taken from a process of an earlier version, which has only written itself into the file", async () => {
    const dir = directory("earlier");
    const { stop, pid } = await startLocker();
    const startTime = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19];
    writeFileSync(join(dir, "lock"), `${pid} ${startTime}`);
    await expect(lockDataDir(dir)).rejects.toThrow(`is in use by process ${pid}`);
    await stop();
    (await lockDataDir(dir)).release();
  });

  test("overwrites no file that a link names", async () => {
    const dir = directory("linked");
    writeFileSync(join(dir, "other"), "kept");
    symlinkSync(join(dir, "other"), join(dir, "lock"));
    await expect(openDataDir(dir)).rejects.toMatchObject({ code: "data_dir_unusable" });
    expect(readFileSync(join(dir, "other"), "utf8")).toBe("kept");
  });
});

describe("the database in DATA_DIR", () => {
  const dataDir = join(root, "whole");
  const databaseDir = join(dataDir, "pglite");
  beforeAll(() => makeDataDir(dataDir));

  const within = (path: string): string => join(databaseDir, path);
  const contentOf = (): string[] => readdirSync(databaseDir, { recursive: true, encoding: "utf8" }).sort();

  const restore = /Restore a backup of it, or move the folder away/;

  const parts = ["PG_VERSION", "global/pg_control", "global", "base", "pg_wal", "pg_xact/0000", "pg_notify"];
  test.each([...parts, "base/5/PG_VERSION"])("is not opened, made or changed without %s", async (part) => {
    const aside = join(root, "aside");
    renameSync(within(part), aside);
    const before = contentOf();
    const refused = await openPGliteStore({ dataDir }).catch((error: unknown) => error);
    expect(contentOf()).toEqual(before);
    renameSync(aside, within(part));
    expect((refused as DataDirUnusable).code).toBe("data_dir_unusable");
    expect(String(refused)).toMatch(/is damaged: .* missing\. Nothing was changed\. Restore a backup of it, or move/);
  });

  test("is not opened without the file of a table, or a file in a table's middle", async () => {
    const opened = await openPGliteStore({ dataDir });
    const [telemetry] = await opened.client.query<{ path: string }>("select pg_relation_filepath('telemetry') as path");
    await opened.close();
    const path = telemetry?.path ?? "";
    renameSync(within(path), within("aside"));
    await expect(openPGliteStore({ dataDir })).rejects.toThrow(`is damaged: ${path} missing`);
    renameSync(within("aside"), within(path));
    writeFileSync(within(`${path}.2`), "");
    await expect(openPGliteStore({ dataDir })).rejects.toThrow(`is damaged: ${path}.1 missing`);
    rmSync(within(`${path}.2`));
  });

  test("says what to do if PostgreSQL cannot read it", async () => {
    renameSync(within("base/5/1259"), within("aside"));
    await expect(openPGliteStore({ dataDir })).rejects.toThrow(restore);
    renameSync(within("aside"), within("base/5/1259"));
  });

  test("is not taken for a new one when its folder is empty", async () => {
    const dir = directory("empty");
    mkdirSync(join(dir, "pglite"));
    await expect(openDataDir(dir)).rejects.toThrow(/is damaged: PG_VERSION, .* missing/);
    expect(readdirSync(join(dir, "pglite"))).toEqual([]);
  });

  test("is closed to others if its folder is open to them, and that is said; DATA_DIR itself is left alone", async () => {
    for (const path of [dataDir, databaseDir]) chmodSync(path, 0o755);
    const mode = (path: string): string => (statSync(join(dataDir, path)).mode & 0o777).toString(8);
    const opened = await openDataDir(dataDir);
    expect([mode("."), mode("pglite"), mode("lock")]).toEqual(["755", "700", "600"]);
    expect(opened.notice).toContain("other users had rights on the folder");
    opened.lock.release();
    const again = await openDataDir(dataDir);
    expect(again.notice).toBeUndefined();
    again.lock.release();
  });
});
