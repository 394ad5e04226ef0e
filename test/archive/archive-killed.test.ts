import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { readParquet } from "../support/parquet.ts";
import { createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

const t0 = Date.UTC(2026, 0, 3, 5);
const [devices, minutes] = [200, 120];
let server: ProvidedDatabase;
let opened: OpenStore;
let url: string;
let folder: string;
beforeAll(async () => {
  server = await provideDatabase();
  url = await createDatabase(server, "killed", { plain: true });
  opened = await openPostgresStore({ url, migrate: true });
  folder = mkdtempSync(join(tmpdir(), "archive-"));
  for (let minute = 0; minute < minutes; minute += 10) {
    await opened.store.ingest(messageOf(`minutes from ${minute}`, makeBatch(recordsFrom(minute))));
  }
}, 300_000);
afterAll(async () => {
  await opened.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** The records of ten minutes, of two clusters. */
function recordsFrom(minute: number): TestRecord[] {
  return Array.from({ length: 10 * devices }, (_, index) => {
    const device = index % devices;
    const timeMs = t0 + (minute + Math.floor(index / devices)) * 60_000;
    const metrics = { temperature: (index % 90) + 0.1, power_draw: minute + device / 7 };
    return { uuid: `GPU-${device}`, clusterId: device % 2 === 0 ? "even" : "odd", timeMs, metrics };
  });
}

class SteppedArchive extends ArchiveUpkeep {
  override step = (): Promise<void> => super.step();
}

const namesIn = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
const isWhole = (path: string): boolean => !basename(path).startsWith(".part-");
const bytesIn = (path: string, name: string): number =>
  statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0;

/** Each record of the archive once, by its file. @throws if a file is no whole file of Parquet */
async function recordsIn(path: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const name of namesIn(path).filter(isWhole)) {
    const rows = await readParquet(readFileSync(join(path, name)).buffer);
    const keys = rows.map(({ uuid, timestamp }) => `${String(uuid)} ${(timestamp as Date).getTime()}`);
    found.set(name, keys);
  }
  return found;
}

/** The instants at which the process is killed, by what the folder has then. */
const instants: readonly (readonly [name: string, isReached: (names: readonly string[], path: string) => boolean])[] = [
  ["when it has begun a file", (names) => names.length > 0],
  ["when it has begun the files of both clusters", (names) => names.length === 2],
  ["when a part of a file is on the disk", (names, path) => names.some((name) => bytesIn(path, name) > 1000)],
  ["when it shows the first file of an hour", (names) => names.some(isWhole)],
  ["when it writes the second hour", (names) => names.filter(isWhole).length >= 2 && !names.every(isWhole)],
];

for (const [at, [name, isReached]] of instants.entries()) {
  test(`a process that is killed ${name} leaves no half file, and another one completes the archive`, async () => {
    const path = join(folder, String(at));
    const killed = Bun.spawn([process.execPath, join(import.meta.dir, "archiving-process.ts"), path], {
      ...{ env: { ...process.env, DATABASE_URL: url }, stdout: "ignore", stderr: "inherit" },
    });
    while (!existsSync(path) || !isReached(namesIn(path), path)) await Bun.sleep(0);
    killed.kill("SIGKILL");
    await killed.exited;
    const names = namesIn(path);
    // what has a name of its own can be read, and has all records of its hour
    for (const records of (await recordsIn(path)).values()) expect(records).toHaveLength((devices / 2) * 60);
    await opened.client.query("update archive_lead set expires_at = now() - interval '1 second'");
    const parts = { ledger: opened.archive, queries: opened.queries, files: openArchiveFiles(path), clock };
    const log = unshownLog();
    const other = new SteppedArchive({ ...parts, format: archiveFormat, afterMinutes: 0, instanceId: "two", log });
    await other.step();
    const found = await recordsIn(path);
    expect([...found.values()].map(({ length }) => length)).toEqual(Array(4).fill((devices / 2) * 60));
    expect(new Set([...found.values()].flat()).size).toBe(devices * minutes);
    expect(namesIn(path).filter((each) => !isWhole(each))).toEqual([]);
    const files = await opened.archive.files({ limit: 9 });
    expect(files.map(({ path: each, records }) => [each, records]).sort()).toEqual(
      [...found].map(([each, records]) => [each, records.length]).sort(),
    );
    for (const { path: each, sha256, bytes } of files) {
      const content = readFileSync(join(path, each));
      expect([new Bun.CryptoHasher("sha256").update(content).digest("hex"), content.length]).toEqual([sha256, bytes]);
    }
    expect((await opened.archive.open({ afterMs: 0, quietMs: 0 })).due).toEqual([]);
    // for the next instant
    await other.stop(AbortSignal.timeout(10_000));
    await opened.client.query("update archive_lead set expires_at = now() - interval '1 second'");
    expect(names.length).toBeLessThan(5);
  });
}
