import type { SqlTransaction } from "../../../db/client.ts";
import { nextVersions } from "../../../db/sql/contested-gpus.ts";
import type { CurrentGpu } from "../../../db/sql/current-gpus.ts";
import { selectGpus } from "../../../db/sql/select-gpus.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import { latestRecords } from "./latest-records.ts";

/** Reads contested GPUs, whose rows must be locked, each in a new version. */
export async function readContested(
  transaction: SqlTransaction,
  contested: readonly CurrentGpu[],
): Promise<ContestedGpu[]> {
  if (contested.length === 0) return [];
  nextVersions(
    transaction,
    contested.map(({ gpuKey }) => gpuKey),
  );
  const selector = { uuids: contested.map(({ uuid }) => uuid) };
  const [gpus, latest] = await Promise.all([selectGpus(transaction, selector), latestRecords(transaction, selector)]);
  const records = new Map(latest.map((record) => [record.gpu.uuid, record]));
  return gpus.flatMap((gpu) => {
    const { contestedVersion } = gpu;
    return contestedVersion === undefined ? [] : [{ gpu: { ...gpu, contestedVersion }, record: records.get(gpu.uuid) }];
  });
}
