import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { HistoryUpkeep } from "../../src/pipeline/upkeep/history-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { settleTo } from "../support/settled.ts";

setDefaultTimeout(60_000);

// Records that come after retention has looked for the hours that are not archived, and before it deletes.

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const log = unshownLog();
const keepDays = { raw: 1, "1h": 0, usage: 0 };
const t0 = Date.UTC(2026, 0, 4, 5);
let server: ProvidedDatabase;
let folder: string;
let count = 0;
beforeAll(async () => {
  server = await provideDatabase();
  folder = mkdtempSync(join(tmpdir(), "archive-"));
}, 300_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

class SteppedArchive extends ArchiveUpkeep {
  override step = (): Promise<void> => super.step();
}
class SteppedRetention extends HistoryUpkeep {
  override step = (): Promise<void> => super.step();
}

async function open(plain: boolean): Promise<OpenStore & AsyncDisposable> {
  const url = await createDatabase(server, `retention${(count += 1)}`, { plain });
  const opened = await openPostgresStore({ url, migrate: true });
  return { ...opened, [Symbol.asyncDispose]: () => opened.close() };
}

async function store(opened: OpenStore, timeMs: number, metrics: Readonly<Record<string, number>>): Promise<void> {
  await opened.store.ingest(messageOf(`kept ${(count += 1)}`, makeBatch([{ uuid: "GPU-a", timeMs, metrics }])));
}

async function archive({ archive: ledger, queries }: OpenStore): Promise<void> {
  const files = openArchiveFiles(join(folder, String(count)));
  await new SteppedArchive({
    ...{ ledger, files, queries, format: archiveFormat, afterMinutes: 0, instanceId: "one", clock, log },
  }).step();
}

/** Deletes what is old. @param between called when the hours that are not archived have been looked for */
async function deleteOld({ archive: ledger, retention }: OpenStore, between: () => Promise<void>): Promise<void> {
  const unarchived = async () => {
    const found = await ledger.open({ afterMs: 0, quietMs: 0 });
    await between();
    return found;
  };
  await new SteppedRetention({ retention, keepDays, unarchived, clock, log }).step();
}

const stored = async ({ queries }: OpenStore): Promise<[number, unknown][]> =>
  (await queries.history.records({ gpus: {}, range: allTime, limit: 100 })).elements.map(({ timeMs, metrics }) => [
    timeMs - t0,
    metrics,
  ]);

for (const [name, isPlain] of [
  ["rows", true],
  ["chunks", false],
] as const) {
  for (const settled of ["nothing", "everything"] as const) {
    test(`a late record that comes before the deletion is kept until it is archived; ${name}, ${settled} settled`, async () => {
      await using opened = await open(isPlain);
      for (const days of [0, 3, 6]) await store(opened, t0 + days * dayMs, { temperature: 1 });
      await settleTo(opened.client, settled);
      await archive(opened);
      await deleteOld(opened, async () => {
        await store(opened, t0 + 3 * dayMs, { power_draw: 300 });
        await store(opened, t0 + 3 * dayMs + hourMs, { temperature: 2 });
      });
      // hours before the late records are deleted, those after them are not
      expect(await stored(opened)).toEqual([
        [3 * dayMs, { temperature: 1, power_draw: 300 }],
        [3 * dayMs + hourMs, { temperature: 2 }],
        [6 * dayMs, { temperature: 1 }],
      ]);
      await archive(opened);
      await deleteOld(opened, () => Promise.resolve());
      expect(await stored(opened)).toEqual([]);
    });
  }
}

test("a deletion waits for a transaction that changes an archived record, and then keeps it", async () => {
  await using opened = await open(true);
  await store(opened, t0, { temperature: 1 });
  await archive(opened);
  let begun = (): void => undefined;
  let release = (): void => undefined;
  const isBegun = new Promise<void>((resolve) => (begun = resolve));
  const held = new Promise<void>((resolve) => (release = resolve));
  const changing = opened.client.transaction(async (transaction) => {
    await transaction.query(`insert into archive_changes (hour) values (to_timestamp(${t0} / 1000.0))`);
    await transaction.query("update telemetry set temperature = 2");
    begun();
    await held;
  });
  await isBegun;
  const deleting = opened.retention.deleteOlder(keepDays, "kept");
  const waiting = "select count(*)::int as count from pg_locks where not granted";
  while ((await opened.client.query<{ count: number }>(waiting))[0]?.count === 0) await Bun.sleep(10);
  release();
  await changing;
  await deleting;
  expect(await stored(opened)).toEqual([[0, { temperature: 2 }]]);
});
