import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDataDir } from "../../dev/empty-store.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { endOf, sendFile } from "./uploaded-file.ts";

// What the sender of a table should know of it is in the upload and in the answer of a push.

const dir = await mkdtemp(join(tmpdir(), "telemetry-upload-messages-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const header = "timestamp,uuid,gpu_id,hostname,gpu_utilization";
const row = "2026-01-05T12:00:00Z,GPU-5ca1ab1e-0000-4000-8000-00000000000e,0,lab-1,45";

test("an upload and a push say what they have not read, and that a table has no rows", async () => {
  await makeDataDir(join(dir, "data"));
  const pipeline = startPipeline({ DATA_DIR: join(dir, "data"), SIM_HOSTS: "1" });
  try {
    const url = await urlOf(pipeline);
    const ended = async (text: string) => endOf(url, (await sendFile(url, text)).data.id);
    expect(await ended(`${header}\n`)).toMatchObject({ state: "done", message: "The table has no rows." });
    expect(await ended(`${header},instance,job,fan_rpm,fan_two\n${row},lab-1:9400,dcgm,3,\n`)).toMatchObject({
      state: "done",
      message:
        'Not in the catalogue, stored under their own names: "fan_rpm". These columns have cells that are not read: "instance", "job".',
    });
    expect(await ended(`${header}${row}`)).toMatchObject({
      ...{ state: "failed", rows_read: 0 },
      message: expect.stringContaining("its line ends are missing") as string,
    });
    expect(await ended(`${header}\n${row}\n`.replaceAll("hostname,", "").replaceAll("lab-1,", ""))).toMatchObject({
      ...{ state: "failed", message: expect.stringContaining("as the parameter hostname") as string },
    });
    const pushed = async (body: string) => {
      const headers = { "content-type": "text/csv" };
      const answer = await fetch(`${url}/api/v1/telemetry`, { method: "POST", headers, body });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    expect(await pushed(`${header}\n`)).toMatchObject({ status: 202, data: { message: "The table has no rows." } });
    expect(await pushed(`${header}\n${row}\n`)).not.toHaveProperty("data.message");
    expect(await pushed(`${header}${row}`)).toMatchObject({
      ...{ status: 400, error: { message: expect.stringContaining("--data-binary") as string } },
    });
  } finally {
    await stopPipeline(pipeline, "SIGKILL");
  }
}, 120_000);
