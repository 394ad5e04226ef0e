import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { sharedData } from "./shared-data.ts";

/** The real CSV; undefined where the shared data folder is not there. */
export const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

/** What the real CSV holds. */
export const realFigures = { gpus: 247, hosts: 31, records: 988 } as const;

/** A pipeline of one process that has taken in the real CSV. */
export interface LoadedGateway {
  readonly url: string;
  /** Everything it wrote so far. */
  output(): string;
  /** Whether it still runs. */
  isAlive(): boolean;
  stop(): Promise<void>;
}

/** Starts one, and waits until it has everything.
 *  @param env further settings */
export async function startLoadedGateway(env: Record<string, string> = {}): Promise<LoadedGateway> {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-loaded-"));
  const pipeline = startPipeline({ DATA_DIR: dir, CSV_FILE: realCsv ?? "", LOG_LEVEL: "warn", ...env });
  const stop = async (): Promise<void> => {
    await stopPipeline(pipeline);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const url = await urlOf(pipeline);
    await untilLoaded(url);
    return { url, output: pipeline.output, isAlive: () => pipeline.subprocess.exitCode === null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until a gateway shows everything of the real CSV, its newest state too.
 *  @throws Error where it does not within a minute */
export async function untilLoaded(url: string): Promise<void> {
  const count = async (path: string): Promise<number> => {
    const answer = await fetch(`${url}${path}`);
    return answer.ok ? ((await answer.json()) as { readonly count: number }).count : 0;
  };
  const hasLoaded = async (): Promise<boolean> => {
    const found = {
      gpus: await count("/api/v1/gpus"),
      hosts: await count("/api/v1/hosts"),
      records: await count("/api/v1/telemetry?limit=10000"),
    };
    return Bun.deepEquals(found, realFigures);
  };
  await until(hasLoaded, { timeoutMs: 60_000, everyMs: 50 });
}
