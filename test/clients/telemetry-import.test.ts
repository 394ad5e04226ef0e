import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { everything } from "../archive/archived-fleet.ts";
import { type CollectingGateway, openCollectingGateway } from "../archive/collecting-gateway.ts";
import { gatewayOver } from "../routes/gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "telemetry-import-"));
const file = join(folder, "records.parquet");
let source: CollectingGateway;
let target: CollectingGateway;
beforeAll(async () => {
  [source, target] = [await openCollectingGateway(everything), await openCollectingGateway([])];
});
afterAll(async () => {
  await source.close();
  await target.close();
  rmSync(folder, { recursive: true });
});

/** What is asked of both. */
const paths = ["/api/v1/telemetry?start_time=2000-01-01T00:00:00Z&limit=10000", "/api/v1/telemetry/latest"];

test("an exported file that is imported into an empty store answers the same, once more, too", async () => {
  const exported = await runTelemetry(source.port, ["export", "--parquet", file]);
  expect(exported).toMatchObject({ status: 0, errors: "" });
  const imported = await runTelemetry(target.port, ["import", file]);
  expect(imported).toEqual({ status: 0, errors: "", text: "12 records of 1 file(s)\n" });
  const answers: unknown[] = [];
  for (const path of paths) {
    const [expected, found] = [await source.gateway.json(path), await gatewayOver(target.stored).json(path)];
    expect((expected["data"] as readonly unknown[]).length).toBeGreaterThan(6);
    expect(found).toEqual(expected);
    answers.push(expected);
  }
  const again = await runTelemetry(target.port, ["import", folder, "--json"]);
  expect(JSON.parse(again.text)).toEqual({ files: 1, records: 12, rejected: 0 });
  const reread = gatewayOver(target.stored);
  expect(await Promise.all(paths.map((path) => reread.json(path)))).toEqual(answers as Record<string, unknown>[]);
});

test("what is no file of records is refused in a sentence, and pushes nothing", async () => {
  const damaged = join(folder, "damaged.parquet");
  writeFileSync(damaged, "PAR1 but not Parquet PAR1");
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const averages = join(folder, "averages.parquet");
  await runTelemetry(source.port, ["export", "--parquet", averages, "--resolution", "1h"]);
  for (const [from, problem] of [
    [damaged, "cannot be read as Parquet"],
    [empty, "has no files that end in .parquet"],
    [averages, "has averages"],
    [join(folder, "none"), "cannot list the files"],
  ] as const) {
    const { status, errors } = await runTelemetry(target.port, ["import", from]);
    expect([status, errors]).toEqual([1, expect.stringContaining(problem) as string]);
    expect(errors).not.toContain("    at ");
  }
});
