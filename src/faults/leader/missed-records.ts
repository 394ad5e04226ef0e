import { QueryTooCostly } from "../../domain/errors.ts";
import type { HistoryCursor, StoredRecord } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { Gap } from "./gaps.ts";

/** What is older is not evaluated: it says nothing about the present, and an hour of 10,000 GPUs that report every second would take
 *  minutes. */
export const maxMissedMs = 3_600_000;
const pageRecords = 5000;

export interface MissedRecordsOptions {
  readonly history: Pick<HistoryQueries, "records" | "recordsOfEach">;
  /** Repeats a question until the store answers. */
  readonly ask: <T>(question: () => Promise<T>) => Promise<T>;
  /** Called if the store cannot answer in time: the records stay missed. */
  readonly onSkipped: (error: unknown) => void;
}

/** Reads from the store what the evaluator has missed. */
export class MissedRecords {
  constructor(private readonly options: MissedRecordsOptions) {}

  /** The records of all devices from an instant on, by their instants, in pages. */
  async *since(fromMs: number): AsyncGenerator<readonly StoredRecord[]> {
    let cursor: HistoryCursor | undefined;
    do {
      const at = cursor === undefined ? {} : { cursor };
      const page = await this.read(() =>
        this.options.history.records({
          ...{ gpus: {}, range: { fromMs, toMs: Infinity }, isForward: true, limit: pageRecords },
          ...at,
        }),
      );
      if (page === undefined) return;
      yield page.elements;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  /** The records of some devices in their gaps, in no order. */
  async within(gaps: readonly Gap[]): Promise<StoredRecord[]> {
    const found: StoredRecord[] = [];
    for (const group of groupsOf(gaps)) {
      const uuids = group.map(({ uuid }) => uuid);
      const fromMs = Math.min(...group.map((gap) => gap.fromMs));
      const toMs = Math.max(...group.map((gap) => gap.toMs));
      const limit = Math.floor(pageRecords / uuids.length);
      const records = await this.newestOf(uuids, { fromMs, toMs }, limit);
      // one by one: a long list is too much for a call
      for (const record of records) found.push(record);
      // a device has more records than was thought, and the newest are there
      for (const [uuid, ofDevice] of Map.groupBy(records, ({ gpu }) => gpu.uuid)) {
        if (ofDevice.length < limit) continue;
        const oldestMs = Math.min(...ofDevice.map(({ timeMs }) => timeMs));
        for await (const older of this.before(uuid, { fromMs, toMs: oldestMs })) found.push(older);
      }
    }
    return found;
  }

  /** The records of a device in a range, in pages from the newest on. */
  private async *before(uuid: string, { fromMs, toMs }: TimeRange): AsyncGenerator<StoredRecord> {
    let records: readonly StoredRecord[];
    let endMs = toMs;
    do {
      records = await this.newestOf([uuid], { fromMs, toMs: endMs }, pageRecords);
      yield* records;
      endMs = records[0]?.timeMs ?? endMs;
    } while (records.length === pageRecords);
  }

  private async newestOf(uuids: readonly string[], range: TimeRange, limit: number): Promise<readonly StoredRecord[]> {
    return (await this.read(() => this.options.history.recordsOfEach({ uuids, range, limit }))) ?? [];
  }

  private async read<T>(question: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.options.ask(question);
    } catch (error) {
      if (!(error instanceof QueryTooCostly)) throw error;
      this.options.onSkipped(error);
      return undefined;
    }
  }
}

/** Groups of gaps that a page can hold; similar ones are together. */
function groupsOf(gaps: readonly Gap[]): Gap[][] {
  const groups: Gap[][] = [];
  let most = 0;
  for (const gap of gaps.toSorted((a, b) => a.records - b.records)) {
    const last = groups.at(-1);
    most = Math.max(most, gap.records);
    if (last !== undefined && (last.length + 1) * most <= pageRecords) last.push(gap);
    else {
      groups.push([gap]);
      most = gap.records;
    }
  }
  return groups;
}
