import { mergedOccupants, type Occupants } from "../../domain/gpu.ts";
import type { StoredRecord } from "../../domain/query.ts";

/** Recognises live records that the replay already delivered. A record is stored before it is published, so the history may
 *  contain a record that arrives live later. The live records of a GPU arrive in time order, so its replayed records are
 *  discarded when a live record is newer than all of them. */
export class ReplayDedup {
  /** Replayed records that may still arrive live, by GPU, in time order. */
  private readonly replayed = new Map<string, StoredRecord[]>();

  /** Adds replayed records, except those that are too old to arrive live.
   *  @param records in time order
   *  @param newestMs returns the instant of a GPU's newest live record; later live records are not older */
  add(records: readonly StoredRecord[], newestMs: (uuid: string) => number): void {
    for (const record of records) {
      const { uuid } = record.gpu;
      if (record.timeMs < newestMs(uuid)) continue;
      const ofGpu = this.replayed.get(uuid);
      if (ofGpu === undefined) this.replayed.set(uuid, [record]);
      else ofGpu.push(record);
    }
  }

  /** True if no replayed record can arrive live any more. */
  get isOver(): boolean {
    return this.replayed.size === 0;
  }

  /** True if the replay delivered this live record, with all its values. Discards the GPU's replayed records if the live record
   *  is newer than all of them. */
  covers(record: StoredRecord): boolean {
    const { uuid } = record.gpu;
    const ofGpu = this.replayed.get(uuid);
    if (ofGpu === undefined) return false;
    const last = ofGpu.at(-1) as StoredRecord;
    if (record.timeMs > last.timeMs) this.replayed.delete(uuid);
    const same = ofGpu.find(({ timeMs }) => timeMs === record.timeMs);
    return (
      same !== undefined &&
      isSubset(record.metrics, same.metrics) &&
      isSubset(record.custom, same.custom) &&
      haveOccupants(record.occupants, same.occupants)
    );
  }
}

/** True if `replayed` contains all of `shown`; also if `shown` has fewer than two elements, because an update shows occupants
 *  only if there are several. */
function haveOccupants(shown: Occupants, replayed: Occupants): boolean {
  return shown.length < 2 || mergedOccupants(replayed, shown) === replayed;
}

function isSubset(values: Readonly<Record<string, number>>, of: Readonly<Record<string, number>>): boolean {
  for (const name in values) if (values[name] !== of[name]) return false;
  return true;
}
