import { removePrefix } from "../../../src/etcd/requests.ts";
import { makePipeline, type PipelineOptions } from "./processes.ts";
import { waitUntilDrained } from "./judge.ts";
import type { SeedRun } from "./seed-run.ts";

/** Fast enough that the file is read again within seconds. */
const samplesPerSecond = 30_000;

/** Reads the file again after a failover, as docs/backup.md says: with no process running, deletes the checkpoints of the source
 *  and the keys of its messages, and starts the processes. The database recognises the messages that it has. Resolves when the
 *  queue is drained and the processes have ended.
 *  @returns the violations */
export async function readAgain(run: SeedRun, options: Omit<PipelineOptions, "samplesPerSecond">): Promise<string[]> {
  const { etcd, queue, possibleCheckpoints } = run;
  const keys = [...possibleCheckpoints.map(({ all }) => all), queue.idempotency("")].map(removePrefix);
  await etcd.txn({ success: keys });
  const pipeline = makePipeline({ ...options, samplesPerSecond });
  const workers = [...pipeline.collectors, ...pipeline.streamers];
  try {
    workers.forEach((worker) => worker.start());
    return await waitUntilDrained(run);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}
