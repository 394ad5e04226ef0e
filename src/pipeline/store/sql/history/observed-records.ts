import type { SqlExecutor } from "../../../../db/client.ts";
import {
  type Observations,
  type ObservedRecord,
  type RecordPlaces,
  selectObservations,
} from "../../../../db/sql/observations.ts";
import { allTime } from "../../../../domain/time-range.ts";
import { byPlace } from "./block-places.ts";
import { runAt } from "./block-records.ts";
import { partsOfBlocks } from "./history-part.ts";

/** Reads records back as they are stored, merged with those of other batches, ordered by GPU and instant. A record may have been settled
 *  since it was stored: a message is delivered again hours later if its collector died. One that has been deleted is left out. */
export async function readObservations(executor: SqlExecutor, places: RecordPlaces): Promise<ObservedRecord[]> {
  const { rows, settled } = await selectObservations(executor, places);
  const records = [...rows, ...(await Promise.all(settled.map(settledRecord))).flat()];
  return records.sort((a, b) => a.gpuKey - b.gpuKey || byPlace(a, b));
}

async function settledRecord({ block, untilMs, ...place }: Observations["settled"][number]): Promise<ObservedRecord[]> {
  const [part] = await partsOfBlocks([block], [], allTime);
  const index = part?.timesMs.indexOf(place.timeMs) ?? -1;
  if (part === undefined || index < 0) return [];
  const run = runAt(part.runs, index);
  const following = part.timesMs[index + 1] ?? Infinity;
  return [
    {
      ...place,
      occupants: run?.occupants ?? [],
      attributesId: run?.attributesId ?? undefined,
      nextRecordMs: following < untilMs ? following : place.nextRecordMs,
    },
  ];
}
