import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { simulatedMetrics } from "../../src/pipeline/source/simulated/simulated-metrics.ts";
import { metricIndexOf, metrics } from "../../src/domain/metrics.ts";
import {
  batchesOf,
  exporterHeader,
  type FlatSample,
  openCsvSource,
  rejectedOf,
  samplesOf,
} from "../support/csv-reading.ts";

const dir = mkdtempSync(join(tmpdir(), "simulated-csv-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs the command as its users do. */
async function simulate(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const root = join(import.meta.dir, "../..");
  const child = Bun.spawn([process.execPath, "scripts/simulate.ts", ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

const fleetArguments = ["--hosts", "2", "--gpus-per-host", "4", "--seconds", "3", "--interval", "500ms", "--seed", "2"];

test("the file has dcgm-exporter's layout, and the same arguments give the same bytes", async () => {
  const path = join(dir, "fleet.csv");
  const { exitCode, stderr } = await simulate(...fleetArguments, "--out", path);
  expect(exitCode).toBe(0);
  const text = readFileSync(path, "utf8");
  expect((await simulate(...fleetArguments, "--out", "-")).stdout).toBe(text);
  const lines = text.split("\n");
  expect(lines[0]).toBe(exporterHeader);
  expect(lines[1]).toMatch(
    /^"2025-01-01T00:00:00Z","DCGM_FI_DEV_GPU_UTIL","0","nvidia0","GPU-[0-9a-f-]{36}","NVIDIA [^"]+","sim-dgx-001",("[a-z0-9-]*",){3}"\d+","DCGM_FI_DRIVER_VERSION=""[0-9.]+"",Hostname=""sim-dgx-001"",UUID=""GPU-[0-9a-f-]{36}"",__name__=""DCGM_FI_DEV_GPU_UTIL"",device=""nvidia0"",gpu=""0"",instance=""sim-dgx-001:9400"",job=""dgx_dcgm_exporter"",modelName=""NVIDIA [^"]+"""$/,
  );
  const rows = 6 * 17 * 8;
  expect(lines).toHaveLength(1 + rows + 1);
  expect(stderr).toContain(`${rows} rows, ${text.length} bytes`);
});

test("the file's rows equal the fleet's readings", async () => {
  const path = join(dir, "back.csv");
  await simulate(...fleetArguments, "--start", "2025-03-01T10:00:00Z", "--out", path);
  const source = await openCsvSource(path, { clusterId: "sim" });
  const batches = await batchesOf(source);
  expect(rejectedOf(batches)).toEqual([]);
  const fleet = new SimulatedFleet({ hosts: 2, gpusPerHost: 4, seed: 2, intervalMs: 500, clusterId: "sim" });
  const expected: FlatSample[] = [];
  for (let tick = 0; tick < 6; tick += 1) {
    fleet.advance();
    const timeMs = Date.UTC(2025, 2, 1, 10) + tick * 500;
    for (const gpu of fleet.gpus.filter(({ isSilent }) => !isSilent)) {
      const readings = gpu.readings();
      for (const name of simulatedMetrics) {
        const metric = metrics[metricIndexOf(name) ?? -1]?.name ?? "";
        expected.push({ uuid: gpu.gpu.uuid, timeMs, metric, value: readings[name] });
      }
    }
  }
  const reporting = new Set(expected.map(({ uuid }) => uuid));
  const gpus = fleet.gpus.map(({ gpu }) => gpu).filter(({ uuid }) => reporting.has(uuid));
  expect(batches[0]?.batch.gpus).toEqual(gpus);
  const inOrder = (samples: FlatSample[]): string[] => samples.map((sample) => JSON.stringify(sample)).sort();
  expect(inOrder(samplesOf(batches))).toEqual(inOrder(expected));
});

test("an unusable or missing argument ends the command with status 1; the error names the argument or the unusable path", async () => {
  const errorOf = async (...args: string[]): Promise<string> => {
    const { exitCode, stderr, stdout } = await simulate(...args);
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    return stderr;
  };
  expect(await errorOf()).toContain("--out is missing");
  expect(await errorOf("--out", "-", "--hosts", "0")).toContain(
    '--hosts "0" is not usable: expected a whole number from 1',
  );
  expect(await errorOf("--out", "-", "--interval", "5")).toContain('--interval "5" is not usable');
  expect(await errorOf("--out", "-", "--start", "today")).toMatch(/--start is not usable.*"today"/);
  expect(await errorOf("--out", "-", "--gpus", "8")).toContain("--gpus");
  expect(await errorOf("--out", join(dir, "nowhere", "fleet.csv"))).toContain("nowhere");
});

test("--help lists every argument", async () => {
  const { exitCode, stdout } = await simulate("--help");
  expect(exitCode).toBe(0);
  for (const name of ["out", "hosts", "gpus-per-host", "seconds", "interval", "seed", "start"]) {
    expect(stdout).toContain(`--${name}`);
  }
});
