import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { GpuSelector } from "../../src/domain/gpu-selector.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { readRecordPage } from "../../src/pipeline/store/sql/history/record-page.ts";
import { openMemoryStore } from "../support/open-store.ts";

let opened: Awaited<ReturnType<typeof openMemoryStore>>;
beforeAll(async () => {
  opened = await openMemoryStore();
  const gpu = { uuid: "GPU-0", clusterId: "lab", hostname: "a", modelName: "H100" };
  const records = [0, 1, 2].map((second) => ({ ...gpu, timeMs: second * 1000, metrics: { temperature: 30 } }));
  await opened.store.ingest(messageOf("vain", makeBatch(records)));
});
afterAll(() => opened.close());

/** The parts of the plan that read records, as they were run. */
async function scansFor(gpus: GpuSelector): Promise<string[]> {
  const lines: string[] = [];
  const query = async (text: string, params?: readonly unknown[]): Promise<never[]> => {
    const plan = await opened.client.query<{ "QUERY PLAN": string }>(`explain (analyze, timing off) ${text}`, params);
    lines.push(...plan.map((row) => row["QUERY PLAN"]));
    return [];
  };
  await readRecordPage({ query }, { gpus, range: allTime, limit: 10 });
  return lines.filter((line) => / on (telemetry|blocks)\b/.test(line));
}

test.each([{ clusterId: "none" }, { modelName: "none" }, { clusterId: "lab", modelName: "none" }, { gpuId: 999 }])(
  "a search for what no GPU ever had reads no record: %j",
  async (gpus) => {
    const scans = await scansFor(gpus);
    expect(scans.length).toBeGreaterThan(0);
    expect(scans.filter((line) => !line.includes("never executed"))).toEqual([]);
  },
);

test("a search for what a GPU has reads its records", async () => {
  const ofRows = (await scansFor({ clusterId: "lab" })).filter((line) => line.includes("telemetry"));
  expect(ofRows.join()).not.toContain("never executed");
});
