import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/kit/clock.ts";
import type { ChooseId } from "../../src/pipeline/source/file-ids.ts";
import { FileLook } from "../../src/pipeline/source/file/file-look.ts";
import { LocalAssignment } from "../../src/pipeline/stream/assignment/local-assignment.ts";
import { localFileId } from "../../src/pipeline/stream/assignment/local-file-ids.ts";
import { messageOf } from "../contract/range-assignment.ts";
import { batchesOf, CsvFolder, fileIdOf, manyRows, openCsvSource } from "../support/csv-reading.ts";
import { openMemoryStore } from "../support/open-store.ts";

setDefaultTimeout(60_000);
const folder = new CsvFolder();
afterAll(() => folder.remove());

const text = manyRows(2000);
const last = text.lastIndexOf('"99"');
/** The same size and the same first 64 KiB, with another value in the last row. */
const otherText = `${text.slice(0, last)}"98"${text.slice(last + 4)}`;

function replaceKeepingTime(path: string, content: string): void {
  writeFileSync(path, content);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
}

test("the ids of files differ whenever a byte does, and depend on nothing but the name and the content", async () => {
  expect(otherText.length).toBe(text.length);
  expect(text.length).toBeGreaterThan(128 * 1024);
  const path = folder.write(text, "fleet.csv");
  replaceKeepingTime(path, text);
  const id = await fileIdOf(path);
  expect(id).toMatch(/^csv:fleet\.csv:[0-9a-f]{16}-[0-9a-f]{16}$/);
  replaceKeepingTime(path, otherText);
  const others = [await fileIdOf(path)];
  writeFileSync(path, text);
  expect(await fileIdOf(path)).toBe(id);
  const elsewhere = join(dirname(path), "elsewhere", "fleet.csv");
  mkdirSync(dirname(elsewhere));
  copyFileSync(path, elsewhere);
  expect(await fileIdOf(elsewhere)).toBe(id);
  copyFileSync(path, `${path}.1`);
  others.push(await fileIdOf(`${path}.1`));
  appendFileSync(path, "\n");
  others.push(await fileIdOf(path));
  writeFileSync(path, text.slice(0, 100_000));
  others.push(await fileIdOf(path));
  expect(new Set([id, ...others]).size).toBe(5);
});

test("a short file has the id that earlier versions gave it", async () => {
  const path = folder.write(manyRows(10), "short.csv");
  expect(await fileIdOf(path)).toMatch(/^csv:short\.csv:[0-9a-f]{16}$/);
});

test("a process looks again at a file whose time was set back, and reads an unchanged one only once", async () => {
  const path = folder.write(text, "looked.csv");
  replaceKeepingTime(path, text);
  const look = new FileLook(path, systemClock);
  const first = await look.see();
  expect(await look.see()).toBe(first);
  await Bun.sleep(20);
  replaceKeepingTime(path, otherText);
  expect((await look.see()).digest).not.toBe(first.digest);
});

test("without etcd, other content of the same size is imported, and what an earlier version has imported is not", async () => {
  const { store, close } = await openMemoryStore();
  const importedBytes = async (path: string, chooseId: ChooseId): Promise<number> => {
    const source = await openCsvSource(path, { chooseId });
    const claimed = await new LocalAssignment(store).claim(source, new AbortController().signal);
    if (claimed === undefined) return 0;
    for (const { range, batch } of await batchesOf(source, claimed.range)) {
      const { idempotencyKey } = messageOf({ range, batch });
      await store.ingest({ messageId: idempotencyKey, idempotencyKey, source: range, batch });
    }
    return claimed.range.to.offset - claimed.range.from.offset;
  };
  const chooseId: ChooseId = (ids) => localFileId(ids, store);
  const earlier: ChooseId = ({ earlierId }) => Promise.resolve(earlierId);
  expect(await importedBytes(folder.write(text, "early.csv"), earlier)).toBeGreaterThan(100_000);
  expect(await importedBytes(folder.write(text, "early.csv"), chooseId)).toBe(0);
  expect(await importedBytes(folder.write(text, "fleet.csv"), chooseId)).toBeGreaterThan(100_000);
  expect(await importedBytes(folder.write(otherText, "fleet.csv"), chooseId)).toBeGreaterThan(100_000);
  expect(await importedBytes(folder.write(text, "fleet.csv"), chooseId)).toBe(0);
  await close();
});
