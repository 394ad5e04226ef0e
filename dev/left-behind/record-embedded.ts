import { cp } from "node:fs/promises";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../pipeline-process.ts";
import { until } from "../until.ts";
import { allAnswers, type Answers, answerTo } from "./answers.ts";
import type { LeftBehind } from "./fixture.ts";
import { packPGlite } from "./pglite-files.ts";

export interface RecordOptions {
  /** The checkout whose program is run. */
  readonly checkout: string;
  /** A folder for what is written meanwhile. */
  readonly folder: string;
  /** The paths of the input files. */
  readonly complete: string;
  readonly halfRead: string;
}

/** Imports a file, and half of another, into an embedded store. */
export async function recordEmbedded(options: RecordOptions): Promise<LeftBehind["embedded"]> {
  const { checkout, folder, complete, halfRead } = options;
  const [dataDir, finishedDir] = [join(folder, "data"), join(folder, "finished")];
  const start = (env: Record<string, string>): PipelineProcess =>
    startPipeline({ DATA_DIR: dataDir, BATCH_SIZE: "100", LOG_LEVEL: "warn", ...env }, checkout);
  await importTo(start({ CSV_FILE: complete }));
  await stopHalfWay(start({ CSV_FILE: halfRead, STREAM_INTERVAL: "500ms" }));
  const answersOf = async (dir: string): Promise<Answers> => {
    const gateway = start({ ROLE: "gateway", DATA_DIR: dir });
    const answers = await allAnswers(await urlOf(gateway));
    await stopPipeline(gateway);
    return answers;
  };
  const answers = await answersOf(dataDir);
  const pglite = await packPGlite(join(dataDir, "pglite"));
  await cp(dataDir, finishedDir, { recursive: true });
  await importTo(start({ CSV_FILE: halfRead, DATA_DIR: finishedDir }));
  return { pglite, answers, finished: await answersOf(finishedDir) };
}

async function importTo(pipeline: PipelineProcess): Promise<void> {
  await pipeline.waitFor(/samples\/s +[\d,]+/);
  await stopPipeline(pipeline);
}

async function stopHalfWay(pipeline: PipelineProcess): Promise<void> {
  const url = await urlOf(pipeline);
  const window = "start_time=2025-07-18T23:15:00Z&end_time=2025-07-19T00:00:00Z&limit=10000";
  const isHalfWay = async (): Promise<boolean> => {
    const { count } = (await answerTo(url, `/api/v1/telemetry?${window}`)) as { count: number };
    return count >= 40;
  };
  await until(isHalfWay, { timeoutMs: 60_000 });
  await stopPipeline(pipeline);
}
