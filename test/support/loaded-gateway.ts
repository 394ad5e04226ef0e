import { until } from "../../dev/until.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { sharedData } from "./shared-data.ts";
import { provideDatabase } from "../../dev/servers/provide-database.ts";

/** The path of the CSV file of a real fleet; undefined if the file is missing. */
export const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");

/** The numbers of GPUs, hosts and records in the real CSV. */
export const realFigures = { gpus: 247, hosts: 31, records: 988 } as const;

/** A pipeline of one process that has imported the real CSV. */
export interface LoadedGateway {
  readonly url: string;
  /** With the key of AUTH_BOOTSTRAP_KEY, if it is set. */
  readonly headers: Readonly<Record<string, string>>;
  readonly processId: number;
  /** The output of the process so far. */
  output(): string;
  /** True while the process runs. */
  isAlive(): boolean;
  stop(): Promise<void>;
}

/** Starts a pipeline, and waits until it has imported the whole real CSV.
 *  @param env further settings
 *  @param timeoutMs the time for the start, and again for the import
 *  @throws Error if the process ends, or needs more time */
export async function startLoadedGateway(env: Record<string, string> = {}, timeoutMs = 60_000): Promise<LoadedGateway> {
  const key = env["AUTH_BOOTSTRAP_KEY"];
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const database = await provideDatabase();
  const pipeline = startPipeline({ DATABASE_URL: database.url, CSV_FILE: realCsv ?? "", LOG_LEVEL: "warn", ...env });
  const stop = async (): Promise<void> => {
    await stopPipeline(pipeline);
    await database.stop();
  };
  try {
    const url = await urlOf(pipeline, timeoutMs);
    await untilLoaded(url, { headers, timeoutMs });
    const { pid: processId } = pipeline.subprocess;
    return {
      url,
      headers,
      processId,
      output: pipeline.output,
      isAlive: () => pipeline.subprocess.exitCode === null,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until a gateway serves all GPUs, hosts and records of the real CSV.
 *  @throws Error after the time, or immediately if the gateway cannot be reached */
export async function untilLoaded(
  url: string,
  { headers = {}, timeoutMs = 60_000 }: { readonly headers?: Record<string, string>; readonly timeoutMs?: number } = {},
): Promise<void> {
  const count = async (path: string): Promise<number> => {
    const answer = await fetch(`${url}${path}`, { headers });
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
  await until(hasLoaded, { timeoutMs, everyMs: 50 });
}
