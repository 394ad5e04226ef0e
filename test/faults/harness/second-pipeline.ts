import { join } from "node:path";
import { pipelineEnvironment, streamingEnvironment, type PipelineOptions, withShortLimit } from "./processes.ts";
import { checkEnds, checkResult, waitUntilDrained } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import { openSeedRun } from "./seed-run.ts";
import { Worker } from "./workers.ts";

/** Another pipeline on the same etcd: it reads the same file for the same cluster, with a topic and a database of its own. */
export interface SecondPipeline {
  start(): void;
  /** Waits until the pipeline is drained, stops it, and judges it like the first one, against the same file.
   *  @returns the violations; none if the pipeline was never started */
  judge(ledger: Ledger): Promise<string[]>;
  close(): Promise<void>;
}

/** Creates the pipeline's database; no process runs until `start`. */
export async function openSecondPipeline(
  options: PipelineOptions & { readonly seed: number },
): Promise<SecondPipeline> {
  const { servers, seed, csvFile, topic: clusterId, logFolder } = options;
  const run = await openSeedRun(servers, { seed, csvFile, clusterId });
  const topic = { QUEUE_TOPIC: run.topic, DATABASE_URL: withShortLimit(run.databaseUrl) };
  const worker = new Worker({
    name: "second-pipeline",
    env: { ...pipelineEnvironment(options), ...streamingEnvironment(options), ...topic, ROLE: "streamer,collector" },
    logFile: join(logFolder, "second-pipeline.log"),
    onLine: () => undefined,
  });
  let hasStarted = false;
  const judge = async (ledger: Ledger): Promise<string[]> => {
    if (!hasStarted) return [];
    const stuck = await waitUntilDrained(run);
    const ended = checkEnds([`second-pipeline ${await worker.stop()}`]);
    return [...stuck, ...ended, ...(await checkResult(run, ledger))].map((found) => `second pipeline: ${found}`);
  };
  return {
    start: () => {
      hasStarted = true;
      worker.start();
    },
    judge,
    close: async () => {
      await worker.stop();
      await run.close();
    },
  };
}
