import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import type { TargetState } from "../../src/pipeline/source/target-states.ts";
import { runTelemetry } from "../clients/run-telemetry.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-served-"));
const targetsFile = join(dir, "targets.json");
const hosts = ["sim-dgx-001", "sim-dgx-002"];
const exporters = Bun.spawn(
  [
    ...[process.execPath, "scripts/simulate.ts", "--serve", "0", "--per", "path", "--hosts", "2"],
    ...["--gpus-per-host", "2", "--targets-file", targetsFile],
  ],
  { cwd: `${import.meta.dir}/../..`, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
);
let pipeline: PipelineProcess | undefined;
let database: ProvidedDatabase | undefined;
afterAll(async () => {
  exporters.kill();
  if (pipeline !== undefined) await stopPipeline(pipeline, "SIGKILL");
  await database?.stop();
  await exporters.exited;
  await rm(dir, { recursive: true, force: true });
});

async function readJson(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

/** The address of the served exporters, once they are there. */
async function servedAt(): Promise<string> {
  let address = "";
  await until(
    async () => {
      const groups = JSON.parse(await readFile(targetsFile, "utf8").catch(() => "[]")) as { targets: string[] }[];
      address = groups[0]?.targets[0] ?? "";
      return address !== "";
    },
    { timeoutMs: 60_000 },
  );
  return new URL(address.includes("://") ? address : `http://${address}`).host;
}

test("simulated exporters, served to a process: their GPUs are stored, and a fault shows in health, coverage and targets until it ends", async () => {
  database = await provideDatabase();
  const address = await servedAt();
  pipeline = startPipeline({ DATABASE_URL: database.url, DCGM_TARGETS_FILE: targetsFile, DCGM_INTERVAL: "1s" });
  const url = await urlOf(pipeline);
  const has = (what: () => Promise<boolean>) => until(what, { timeoutMs: 60_000 });
  const health = async (): Promise<string> => JSON.stringify(await readJson(`${url}/health`));

  const latest = async () =>
    ((await readJson(`${url}/api/v1/telemetry/latest`)) as { data: Record<string, unknown>[] }).data;
  await has(async () => (await latest()).length === 4);
  for (const record of await latest()) {
    expect(hosts).toContain(record["hostname"] as string);
    expect([record["memory_free_mb"], record["sm_active"]].map((value) => typeof value)).toEqual(["number", "number"]);
  }
  expect(await health()).not.toContain("down");

  await fetch(`http://${address}/-/faults`, { method: "PUT", body: "500" });
  await has(async () => /2 of 2 targets are down: .*: HTTP 500/.test(await health()));
  const missed = async () => {
    const { data } = (await readJson(`${url}/api/v1/coverage?by=target&step=total`)) as {
      data: { missed: Record<string, number> }[];
    };
    return data.filter((row) => (row.missed["http_status"] ?? 0) > 0);
  };
  await has(async () => (await missed()).length === 2);
  const targets = async () => ((await readJson(`${url}/api/v1/targets`)) as { data: TargetState[] }).data;
  await has(async () => (await targets()).filter(({ state }) => state === "down").length === 2);
  expect((await targets()).map(({ dialect, devices, last_error: error }) => [dialect, devices, error?.reason])).toEqual(
    [
      ["dcgm-4.9", 2, "http_status"],
      ["dcgm-4.9", 2, "http_status"],
    ],
  );
  const { text } = await runTelemetry(Number(new URL(url).port), ["targets"]);
  expect(text.match(/down .*dcgm-4\.9/g)).toHaveLength(2);
  expect(text.match(/: HTTP 500/g)).toHaveLength(2);

  await fetch(`http://${address}/-/faults`, { method: "DELETE" });
  await has(async () => !(await health()).includes("down"));
  expect(await readJson(`${url}/api/v1/quarantine`)).toMatchObject({ data: [] });
}, 180_000);
