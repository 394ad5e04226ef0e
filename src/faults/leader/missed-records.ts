import { QueryTooCostly } from "../../domain/errors.ts";
import type { HistoryCursor, StoredRecord } from "../../domain/query.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";

/** What is older is not read: it says nothing about the present, and an hour of 10,000 GPUs that report every second would take
 *  minutes. */
export const maxMissedMs = 3_600_000;
const pageRecords = 5000;

/** A device of which records were missed: those between two instants. */
export interface Gap {
  readonly uuid: string;
  readonly afterMs: number;
  readonly beforeMs: number;
  readonly intervalMs: number;
}

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
      const fromMs = Math.min(...group.map(({ afterMs }) => afterMs));
      const toMs = Math.max(...group.map(({ beforeMs }) => beforeMs));
      const records = await this.read(() =>
        this.options.history.recordsOfEach({
          uuids,
          range: { fromMs, toMs },
          limit: Math.floor(pageRecords / uuids.length),
        }),
      );
      // one by one: a long list is too much for a call
      for (const record of records ?? []) found.push(record);
    }
    return found;
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

/** How many records gaps have at most, about. */
export function recordsIn(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, gap) => sum + recordsOf(gap), 0);
}

function recordsOf({ afterMs, beforeMs, intervalMs }: Gap): number {
  return Math.min(pageRecords, Math.ceil((beforeMs - afterMs) / Math.max(1, intervalMs)));
}

/** Groups of gaps that a page can hold; similar ones are together. */
function groupsOf(gaps: readonly Gap[]): Gap[][] {
  const groups: Gap[][] = [];
  let most = 0;
  for (const gap of gaps.toSorted((a, b) => recordsOf(a) - recordsOf(b))) {
    const last = groups.at(-1);
    most = Math.max(most, recordsOf(gap));
    if (last !== undefined && (last.length + 1) * most <= pageRecords) last.push(gap);
    else {
      groups.push([gap]);
      most = recordsOf(gap);
    }
  }
  return groups;
}
