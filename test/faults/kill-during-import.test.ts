import { allTime } from "../../src/domain/time-range.ts";
import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { startPipeline, stopPipeline } from "../../dev/pipeline-process.ts";
import { randomFrom } from "../support/random.ts";

// Invariant: the samples of every row of the source are in the store exactly once, or the row is in quarantine with a reason,
// regardless of which process dies. Here one process that is both streamer and collector is killed several times in one import,
// and the store's content is then compared with that of an undisturbed import.
// The file is packed for the import that is killed: it has to go on at a place in the unpacked content.

const kills = 5;
const seed = Number(process.env.TEST_SEED ?? 1);
const dir = await mkdtemp(join(tmpdir(), "telemetry-kill-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A digest of all records, the rejected inputs (sorted), and the number of rows that were read. */
async function contentOf(dataDir: string): Promise<{ records: string; rejections: string; rows: number }> {
  const { queries, store, close } = await openPGliteStore({ dataDir });
  try {
    const digest = new Bun.CryptoHasher("sha256");
    for (const { uuid } of await queries.fleet.gpus({})) {
      for (const { gpu, ...record } of (
        await queries.history.records({ gpus: { uuids: [uuid] }, range: allTime, limit: 1_000_000 })
      ).elements) {
        digest.update(JSON.stringify([gpu.uuid, gpu.hostname, gpu.gpuId, record]));
      }
    }
    // records whose GPUs' states are missing are found by the uuid, and not by the cluster
    for (const clusterId of new Set((await queries.fleet.gpus({})).map((gpu) => gpu.clusterId))) {
      const filter = { gpus: { clusterId }, range: allTime, limit: 1_000_000 };
      digest.update(`${clusterId} has ${(await queries.history.records(filter)).elements.length} records`);
    }
    const rejections = await queries.quarantine.rejections({ limit: 1_000_000 });
    const sourceId = rejections[0]?.sourceId ?? "";
    const { totals } = await store.progressOf(sourceId);
    const facts = rejections.map(({ line, byte, reason, value }) => JSON.stringify([line, byte, reason, value]));
    return { records: digest.digest("hex"), rejections: facts.sort().join("\n"), rows: totals.rows };
  } finally {
    await close();
  }
}

test(`an import of a packed file that is killed with SIGKILL and restarted ${kills} times stores the same content as an undisturbed import of the file`, async () => {
  const csv = join(dir, "fleet.csv");
  await writeFleetCsv(csv, { hosts: 8, "gpus-per-host": 8, seconds: 60, seed });
  await spoilSomeRows(csv);
  const packed = join(dir, "fleet.csv.gz");
  await Bun.write(packed, Bun.gzipSync(await Bun.file(csv).bytes()));
  const env = { BATCH_SIZE: "500", LOG_LEVEL: "error", ROLE: "streamer,collector" };
  const undisturbed = join(dir, "undisturbed");
  const start = performance.now();
  const calm = startPipeline({ ...env, CSV_FILE: csv, DATA_DIR: undisturbed });
  await calm.waitFor(/source /);
  const startMs = performance.now() - start;
  await calm.waitFor(/records stored/);
  const importMs = performance.now() - start - startMs;
  await stopPipeline(calm);

  const random = randomFrom(seed);
  const disturbed = join(dir, "disturbed");
  for (let kill = 0; kill < kills; kill += 1) {
    const pipeline = startPipeline({ ...env, CSV_FILE: packed, DATA_DIR: disturbed });
    // three kills during the start, perhaps while the directory is created; the other kills during or shortly after the import
    if (kill < 3) await Bun.sleep(random() * startMs);
    else {
      await pipeline.waitFor(/source /);
      await Bun.sleep((random() * importMs * 2) / kills);
    }
    await stopPipeline(pipeline, "SIGKILL");
  }
  const last = startPipeline({ ...env, CSV_FILE: packed, DATA_DIR: disturbed });
  await last.waitFor(/records stored/);
  await stopPipeline(last);
  expect(last.subprocess.exitCode).toBe(0);

  const expected = await contentOf(undisturbed);
  expect(expected.rejections.split("\n")).toHaveLength(spoiledRows);
  expect(await contentOf(disturbed)).toEqual(expected);
}, 600_000);

const spoiledRows = 50;

/** Spoils the timestamps of rows throughout the file, so that quarantine is compared, too. */
async function spoilSomeRows(csv: string): Promise<void> {
  const lines = (await Bun.file(csv).text()).split("\n");
  const step = Math.floor((lines.length - 2) / spoiledRows);
  for (let spoiled = 0; spoiled < spoiledRows; spoiled += 1) {
    const index = 1 + spoiled * step;
    lines[index] = (lines[index] as string).replace(/^"[^"]*"/, '"not-a-time"');
  }
  await Bun.write(csv, lines.join("\n"));
}
