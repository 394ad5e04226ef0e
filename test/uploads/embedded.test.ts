import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDataDir } from "../../dev/empty-store.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import { endOf, recordsAt, sendFile, type ShownUpload, storedOf, uploadAt, wideTable } from "./uploaded-file.ts";

// A process without etcd and without a database server is killed while it receives and while it reads an upload.

const dir = await mkdtemp(join(tmpdir(), "telemetry-uploads-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const rows = 20_000;
const env = {
  ...{ DATA_DIR: join(dir, "data"), SIM_HOSTS: "1", SIM_GPUS_PER_HOST: "1", LOG_LEVEL: "error" },
  ...{ BATCH_SIZE: "1000", SOURCE_RANGE_MIB: "1" },
};
/** So slow that the kill comes while rows are read: the table has 60,000 samples. */
const slow = { RATE_LIMIT_SAMPLES_PER_SECOND: "10000" };

test("an upload goes on after a kill of the process that reads it, and what a killed process has received in part is not stored", async () => {
  const table = wideTable(rows);
  await makeDataDir(env.DATA_DIR);
  let pipeline = startPipeline(env);
  let url = await urlOf(pipeline);
  try {
    // more than a part, which has a MiB
    const half = neverEnding(wideTable(20_000, "cut-off"));
    const headers = { "content-type": "text/csv" };
    const broken = fetch(`${url}/api/v1/csv/upload`, { method: "POST", headers, body: half }).catch(() => undefined);
    const listed = async (): Promise<readonly ShownUpload[]> =>
      ((await (await fetch(`${url}/api/v1/csv/uploads`)).json()) as { data: ShownUpload[] }).data;
    const receiving = await until(async () => (await listed()).find((upload) => upload.bytes_received > 0));
    await stopPipeline(pipeline, "SIGKILL");
    await broken;

    pipeline = startPipeline({ ...env, ...slow });
    url = await urlOf(pipeline);
    expect((await uploadAt(url, receiving.id)).state).toBe("receiving");
    const { status, data } = await sendFile(url, table);
    expect([status, data.duplicate, data.state]).toEqual([202, false, "queued"]);
    await until(async () => (await uploadAt(url, data.id)).rows_read > 0, { everyMs: 5 });
    await stopPipeline(pipeline, "SIGKILL");

    pipeline = startPipeline(env);
    url = await urlOf(pipeline);
    const before = await uploadAt(url, data.id);
    expect([before.state, before.rows_read < rows]).toEqual(["reading", true]);
    const done = await endOf(url, data.id);
    expect(done).toMatchObject({ state: "done", rows_read: rows, records_stored: storedOf(rows), percent_read: 100 });
    expect(done.rejected).toEqual({ invalid_timestamp: rows / 1000 });
    expect(await recordsAt(url)).toBe(storedOf(rows));
    expect((await uploadAt(url, receiving.id)).records_stored).toBe(0);
    expect((await sendFile(url, table)).data).toMatchObject({ id: done.id, duplicate: true });
  } finally {
    await stopPipeline(pipeline, "SIGKILL");
  }
}, 120_000);

/** A body whose sender does not go on. */
function neverEnding(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
}
