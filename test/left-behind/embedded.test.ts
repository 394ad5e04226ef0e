import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allAnswers } from "../../dev/left-behind/answers.ts";
import { type LeftBehind, readFixture } from "../../dev/left-behind/fixture.ts";
import { unpackPGlite } from "../../dev/left-behind/pglite-files.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { expectStopped } from "../support/expect-stopped.ts";
import { expectSameAnswers } from "./expect-same-answers.ts";

// A DATA_DIR of 29b2323 (test/fixtures/), whose process was stopped in the middle of an import.

let left: LeftBehind;
let started: PipelineProcess[] = [];
const dir = await mkdtemp(join(tmpdir(), "telemetry-left-"));
const unpacked = join(dir, "unpacked");

beforeAll(async () => {
  left = await readFixture(join(import.meta.dir, "../fixtures/29b2323"));
  await unpackPGlite(left.embedded.pglite, join(unpacked, "pglite"));
  await Bun.write(join(dir, left.inputs.halfRead.name), left.inputs.halfRead.text);
}, 60_000);
afterEach(async () => {
  await expectStopped(started);
  started = [];
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Starts a process on a copy of the older version's directory. */
async function start(copy: string, env: Record<string, string>): Promise<PipelineProcess> {
  const dataDir = join(dir, copy);
  await cp(unpacked, dataDir, { recursive: true, force: false });
  const pipeline = startPipeline({ DATA_DIR: dataDir, BATCH_SIZE: "100", LOG_LEVEL: "warn", ...env });
  started.push(pipeline);
  return pipeline;
}

test("an embedded store of 29b2323 is migrated on start and gives the same answers", async () => {
  const gateway = await start("answers", { ROLE: "gateway" });
  expectSameAnswers(await allAnswers(await urlOf(gateway)), left.embedded.answers);
}, 60_000);

test("an import that 29b2323 began continues at its last position, and nothing is stored twice", async () => {
  const pipeline = await start("finished", { CSV_FILE: join(dir, left.inputs.halfRead.name) });
  const [, thisRun, inAll] = await pipeline.waitFor(/rows read +([\d,]+) +([\d,]+)[^]*samples\/s/);
  const rows = left.inputs.halfRead.text.trimEnd().split("\n").length - 1;
  expect(Number(inAll?.replace(",", ""))).toBe(rows);
  expect(Number(thisRun?.replace(",", ""))).toBeLessThan(rows);
  await stopPipeline(pipeline);
  const gateway = await start("finished", { ROLE: "gateway" });
  expectSameAnswers(await allAnswers(await urlOf(gateway)), left.embedded.finished, ["seen_at"]);
}, 60_000);
