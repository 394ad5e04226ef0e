import type { StoredRecord } from "../../domain/query.ts";

/** What came out of the history and may come live once more: the store has a record before it is told. A GPU's live
 *  records come in the order of their instants: so little is remembered, and soon forgotten. */
export class ReplayDedup {
  private readonly replayed = new Map<string, StoredRecord[]>();

  /** @param records in the order of their instants
   *  @param newestMs instant of the newest record that was told of a GPU: what comes is not older */
  add(records: readonly StoredRecord[], newestMs: (uuid: string) => number): void {
    for (const record of records) {
      const { uuid } = record.gpu;
      if (record.timeMs < newestMs(uuid)) continue;
      const there = this.replayed.get(uuid);
      if (there === undefined) this.replayed.set(uuid, [record]);
      else there.push(record);
    }
  }

  /** True where nothing that may come was told already. */
  get isOver(): boolean {
    return this.replayed.size === 0;
  }

  /** True where a live record was told already, with all that it has. */
  covers(record: StoredRecord): boolean {
    const { uuid } = record.gpu;
    const there = this.replayed.get(uuid);
    if (there === undefined) return false;
    const last = there.at(-1) as StoredRecord;
    if (record.timeMs > last.timeMs) this.replayed.delete(uuid);
    const same = there.find(({ timeMs }) => timeMs === record.timeMs);
    return same !== undefined && isIn(record.metrics, same.metrics) && isIn(record.custom, same.custom);
  }
}

function isIn(values: Readonly<Record<string, number>>, into: Readonly<Record<string, number>>): boolean {
  for (const name in values) if (values[name] !== into[name]) return false;
  return true;
}
