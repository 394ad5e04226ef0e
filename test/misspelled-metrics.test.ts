import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDataDir } from "../dev/empty-store.ts";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { until } from "../dev/until.ts";
import { endOf, sendFile } from "./uploads/uploaded-file.ts";

// Names of metrics that are likely misspellings become metrics of their own: everything that takes them in says so.

const dir = await mkdtemp(join(tmpdir(), "telemetry-misspelled-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const header = "timestamp,metric_name,gpu_id,uuid,Hostname,value";
const rowsOf = (metric: string): string =>
  [0, 1, 2]
    .map((index) => `2026-01-05T12:00:0${index}Z,${metric},0,GPU-5ca1ab1e-0000-4000-8000-00000000000e,lab-1,45`)
    .join("\n");

test("a misspelled metric of a file, a push and an upload is named once, with the one that may be meant; so are times of the future", async () => {
  const file = join(dir, "long.csv");
  // more than a report and a message name, before the misspelling
  const others = Array.from({ length: 120 }, (_, index) => `board_${index}_rpm`);
  const many = others.map(rowsOf).join("\n");
  await Bun.write(file, `${header}\n${many}\n${rowsOf("DCGM_FI_DEV_GPU_TEMPP")}\n`);
  await makeDataDir(join(dir, "data"));
  const pipeline = startPipeline({ DATA_DIR: join(dir, "data"), CSV_FILE: file });
  try {
    const url = await urlOf(pipeline);
    const report = '"DCGM_FI_DEV_GPU_TEMPP" (did you mean DCGM_FI_DEV_GPU_TEMP, in celsius?)\n    "board_0_rpm"\n';
    await until(() => pipeline.output().includes(report));
    expect(pipeline.output()).toContain('    "board_18_rpm"\n    and 101 more\n');

    const record = { timestamp: "2026-01-05T12:00:00Z", uuid: "GPU-5ca1ab1e-0000-4000-8000-00000000000f", gpu_id: 1 };
    const body = JSON.stringify({
      ...record,
      hostname: "lab-1",
      custom: Object.fromEntries(others.map((name) => [name, 1])),
      gpu_utilisation: 85,
      temperature: 45,
    });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/api/v1/telemetry`, { method: "POST", headers, body });
    const { data } = (await answer.json()) as { data: { custom_metrics: unknown[]; custom_metrics_count: number } };
    expect(data.custom_metrics.slice(0, 2)).toEqual([
      { name: "gpu_utilisation", did_you_mean: "gpu_utilization" },
      { name: "board_0_rpm" },
    ]);
    expect([data.custom_metrics.length, data.custom_metrics_count]).toEqual([100, 121]);

    const sent = await sendFile(url, `${header}\n${many}\n${rowsOf("DCGM_FI_DEV_POWER_USGAE")}\n`);
    expect(await endOf(url, sent.data.id)).toMatchObject({
      state: "done",
      message:
        'Not in the catalogue, stored under their own names: "DCGM_FI_DEV_POWER_USGAE" (did you mean DCGM_FI_DEV_POWER_USAGE, in watts?), "board_0_rpm", "board_1_rpm", "board_2_rpm", "board_3_rpm" and 116 more.',
    });

    const ahead = JSON.stringify({ ...record, hostname: "lab-1", timestamp: "2095-06-01T00:00:00Z", temperature: 45 });
    for (const body of [ahead, ahead.replace("45", "46")]) {
      expect((await fetch(`${url}/api/v1/telemetry`, { method: "POST", headers, body })).status).toBe(202);
    }
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain("telemetry_misspelled_metrics_total 3\n");
    expect(metrics).toContain("telemetry_future_records_total 2\n");
    expect(pipeline.output().match(/records have times in the future, such as 2095-06-01T00:00:00Z/g)).toHaveLength(1);
    const logged = pipeline.output().match(/the metric .*? is not in the catalogue, .*?\?\)/g) ?? [];
    expect(logged.map((line) => line.replaceAll("\\", ""))).toEqual([
      'the metric "DCGM_FI_DEV_GPU_TEMPP" is not in the catalogue, and is stored under its own name (did you mean DCGM_FI_DEV_GPU_TEMP?)',
      'the metric "gpu_utilisation" is not in the catalogue, and is stored under its own name (did you mean gpu_utilization?)',
      'the metric "DCGM_FI_DEV_POWER_USGAE" is not in the catalogue, and is stored under its own name (did you mean DCGM_FI_DEV_POWER_USAGE?)',
    ]);
  } finally {
    await stopPipeline(pipeline, "SIGKILL");
  }
}, 120_000);
