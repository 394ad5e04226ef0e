import { afterAll, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataDir } from "../../src/db/data-dir.ts";

const root = mkdtempSync(join(tmpdir(), "data-dir-"));
afterAll(() => rmSync(root, { recursive: true }));

/** The lock of a process that has died: Linux has no pid of this size. */
const stale = "4194305 1";

/** Creates a directory with a database. */
function directory(name: string): string {
  const dir = join(root, name);
  mkdirSync(join(dir, "pglite"), { recursive: true });
  return dir;
}

/** Starts a process that tries to lock directories. `ask` resolves with "locked" or the error. */
async function startLocker() {
  let answered: (answer: string) => void = () => undefined;
  const next = () => new Promise<string>((resolve) => (answered = resolve));
  const ready = next();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "lock-data-dirs.ts")], {
    ipc: (answer: string) => answered(answer),
  });
  await ready;
  const ask = (dir: string): Promise<string> => {
    const answer = next();
    child.send(dir);
    return answer;
  };
  return { ask, stop: () => child.kill() };
}

test("of several processes that find the lock of a dead process at the same time, exactly one locks the directory", async () => {
  const lockers = await Promise.all(Array.from({ length: 4 }, startLocker));
  for (let round = 0; round < 500; round += 1) {
    const dir = directory(`round-${round}`);
    writeFileSync(join(dir, "lock"), stale);
    const answers = await Promise.all(lockers.map(({ ask }) => ask(dir)));
    const refusals = answers.filter((answer) => answer !== "locked");
    expect(refusals).toHaveLength(lockers.length - 1);
    for (const refusal of refusals) expect(refusal).toContain("is in use by process");
    expect(readdirSync(dir).sort()).toEqual(["lock", "pglite"]);
  }
  for (const { stop } of lockers) stop();
});

test("a process that dies while it replaces a stale lock does not prevent the next one from replacing it", async () => {
  const dir = directory("died");
  for (const name of ["lock", "lock.after-4194305-1"]) writeFileSync(join(dir, name), stale);
  const opened = await openDataDir(dir);
  await expect(openDataDir(dir)).rejects.toThrow(`is in use by process ${process.pid}`);
  await opened.release();
  expect(readdirSync(dir)).toEqual(["pglite"]);
});

test("the lock of a process that died while locking is replaced, even by a process with the same pid", async () => {
  const dir = directory("same-pid");
  writeFileSync(join(dir, "lock"), `${process.pid} 1`);
  for (const name of [`lock.${process.pid}`, `lock.${process.pid}.new`]) linkSync(join(dir, "lock"), join(dir, name));
  const opened = await openDataDir(dir);
  await opened.release();
  expect(readdirSync(dir)).toEqual(["pglite"]);
});
