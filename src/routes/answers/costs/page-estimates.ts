import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { HistoryPage, RecordFilter } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import type { RowEstimates } from "./row-estimates.ts";

/** A page of the history that the store has answered. */
interface ReadPage {
  readonly filter: RecordFilter;
  readonly page: HistoryPage<unknown>;
  readonly tookMs: number;
}

/** A search costs no more than this, or what the database can have read in the time that it took: a search for something that no GPU ever
 *  had reads nothing, and for a short while. */
const maxRowsOfSearch = 100_000;
const maxRowsPerMs = 1000;

/** True if the database compares each row of the selected GPUs with something, and thus may read many rows to find few. */
export function isSearch(gpus: GpuSelector): boolean {
  for (const field in gpus) if (field !== "uuids" && gpus[field as keyof GpuSelector] !== undefined) return true;
  return false;
}

/** Estimates the rows that the database has read for a page of the history. */
export class PageEstimates {
  constructor(private readonly estimates: Pick<RowEstimates, "sum">) {}

  /** @param countOf the rows that a GPU has in so many milliseconds */
  read(read: ReadPage, countOf: (ms: number) => number): number {
    const { filter, page, tookMs } = read;
    const { uuids, hostname } = filter.gpus;
    const found = page.elements.length;
    if (!isSearch(filter.gpus)) return found;
    // the GPUs that have their rows read one GPU after another, or all of them
    const gpus = uuids !== undefined ? { uuids } : hostname !== undefined ? { hostname } : {};
    const covered = this.estimates.sum(gpus, coveredBy(read), countOf);
    return Math.max(found, Math.min(covered, Math.max(maxRowsOfSearch, tookMs * maxRowsPerMs)));
  }
}

/** The time in which the rows of a page, and the rows between them, are. */
function coveredBy({ filter, page: { next } }: ReadPage): TimeRange {
  const { fromMs, toMs } = rest(filter);
  if (next === undefined) return { fromMs, toMs };
  return filter.isForward === true ? { fromMs, toMs: next.timeMs + 1 } : { fromMs: next.timeMs, toMs };
}

/** The time that earlier pages have not covered. */
function rest({ range: { fromMs, toMs }, cursor, isForward }: RecordFilter): TimeRange {
  if (cursor === undefined) return { fromMs, toMs };
  return isForward === true
    ? { fromMs: Math.max(fromMs, cursor.timeMs), toMs }
    : { fromMs, toMs: Math.min(toMs, cursor.timeMs + 1) };
}
