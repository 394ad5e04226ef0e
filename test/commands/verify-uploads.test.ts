import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDataDir } from "../../dev/empty-store.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import { endOf } from "../uploads/uploaded-file.ts";

// verify finds what was rejected of a file that came in as an upload or a push, and the pipeline that runs at PORT.

const dir = await mkdtemp(join(tmpdir(), "telemetry-verify-"));
let pipeline: ReturnType<typeof startPipeline>;
let url = "";
beforeAll(async () => {
  const env = { DATA_DIR: join(dir, "data"), SIM_HOSTS: "1", SIM_GPUS_PER_HOST: "1", LOG_LEVEL: "error" };
  await makeDataDir(env.DATA_DIR);
  pipeline = startPipeline(env);
  url = await urlOf(pipeline);
}, 60_000);
afterAll(async () => {
  await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

/** A table without a host, of whose rows the first two are rejected. */
function tableOf(uuid: string): string {
  const row = (second: number, value: string) => `2025-07-18T20:42:0${second}Z,${uuid},0,${value}`;
  return ["timestamp,uuid,gpu_id,gpu_utilization", row(1, "much"), `never,${uuid},0,7`, row(2, "42"), ""].join("\n");
}

async function fileOf(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text);
  return join(dir, name);
}

async function verify(csv: string, env: Record<string, string> = {}, more: readonly string[] = ["--url", url]) {
  const child = Bun.spawn([process.execPath, "scripts/verify.ts", "--csv", csv, ...more], {
    env: { PATH: process.env["PATH"], SOURCE_HOSTNAME: "ws-7", DATA_DIR: join(dir, "none"), ...env },
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status, said: out.trimEnd().split(/\n */), error: err };
}

interface Rejected {
  readonly id: number;
  readonly source_id: string;
}

async function quarantined(filter: string): Promise<readonly Rejected[]> {
  const answer = await fetch(`${url}/api/v1/quarantine?${filter}`);
  return ((await answer.json()) as { data: readonly Rejected[] }).data;
}

test("verify finds the rejected rows of an upload, and tells one that is gone from the quarantine", async () => {
  const text = tableOf("GPU-uploaded");
  const form = await fetch(`${url}/api/v1/csv/upload?hostname=ws-7`, {
    method: "POST",
    headers: { "content-type": "text/csv" },
    body: text,
  });
  const { data } = (await form.json()) as { data: { id: string } };
  const { source_id: sourceId = "" } = await endOf(url, data.id);
  const csv = await fileOf("uploaded.csv", text);
  const agreed = await verify(csv);
  expect(agreed.said).toEqual([
    `${csv}: 3 rows, 1 samples, 1 records, 0 missing, 2 rejected`,
    `the quarantine has the 2 rejected inputs as those of ${sourceId}`,
    `the store agrees (${url})`,
  ]);
  expect(agreed.status).toBe(0);
  const [first] = await quarantined(`source_id=${sourceId}`);
  await fetch(`${url}/api/v1/quarantine/${first?.id}`, { method: "DELETE" });
  const differs = await verify(csv);
  expect(differs.said.slice(1)).toEqual([
    `the file has 2 rejected inputs, but the quarantine has 1 of them as those of ${sourceId}`,
    `differences from ${url}: 1`,
  ]);
  expect(differs.status).toBe(1);
}, 120_000);

test("verify finds the rejected rows of a push, whose lines are others than those of the file", async () => {
  const [head = "", ...rows] = tableOf("GPU-pushed").trimEnd().split("\n");
  for (const row of rows) {
    const answer = await fetch(`${url}/api/v1/telemetry?hostname=ws-7`, {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: `${head}\n${row}\n`,
    });
    expect(answer.status).toBe(202);
  }
  await until(async () => (await quarantined("source_id=push:anyone")).length === 2);
  const { status, said } = await verify(await fileOf("pushed.csv", tableOf("GPU-pushed")));
  expect(said.slice(1)).toEqual([
    "the quarantine has the 2 rejected inputs as those of push:anyone",
    `the store agrees (${url})`,
  ]);
  expect(status).toBe(0);
}, 120_000);

test("without a store in DATA_DIR, verify compares with the pipeline at PORT, or says that none answers there", async () => {
  const csv = await fileOf("never-sent.csv", tableOf("GPU-never"));
  const PORT = new URL(url).port;
  const { status, said } = await verify(csv, { PORT, HOST: "127.0.0.1" }, []);
  expect(said.slice(1)).toEqual([
    "GPU-never: the record at 2025-07-18T20:42:02Z is in the file, but not in the store",
    "the file has 2 rejected inputs, but the quarantine has 0 of them",
    `differences from http://127.0.0.1:${PORT}: 2`,
  ]);
  expect(status).toBe(1);
  const nobody = await verify(csv, { PORT: "1", HOST: "127.0.0.1" }, []);
  expect(nobody.error).toContain(
    `There is no store in ${join(dir, "none")}, and no pipeline answers at http://127.0.0.1:1: set DATA_DIR, or HOST and PORT, or give --url`,
  );
  expect(nobody.status).toBe(2);
}, 120_000);

test("a server that is no gateway gives no differences, but an error", async () => {
  await using other = Bun.serve({ port: 0, fetch: () => Response.json({ error: "what?" }, { status: 404 }) });
  const csv = await fileOf("other.csv", tableOf("GPU-other"));
  const { status, error } = await verify(csv, {}, ["--url", other.url.href]);
  expect(error).toContain('answered 404: {"error":"what?"}');
  expect(status).toBe(2);
}, 60_000);
