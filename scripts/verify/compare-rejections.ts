import type { RejectedInput } from "../../src/domain/batch.ts";
import { isComparable, pageLimit, type StoredRecords, type StoredRejectedInput } from "./stored-records.ts";

/** So many of the newest rejected inputs of all sources are searched for those of the file. */
const searchMax = 10 * pageLimit;
const ids = new Intl.ListFormat("en");

/** The rejected inputs of a file, counted by their content: an upload and a push have the same ones under ids of their own, and the
 *  lines of a push are those of its body. */
export class FileRejections {
  private total = 0;
  private readonly countOf = new Map<number | bigint, number>();

  /** Those whose number does not depend on the batches. */
  get count(): number {
    return this.total;
  }

  add(rejected: readonly RejectedInput[]): void {
    for (const input of rejected.filter(isComparable)) {
      const key = contentKey(input);
      this.total += 1;
      this.countOf.set(key, (this.countOf.get(key) ?? 0) + 1);
    }
  }

  /** Finds the same inputs among those of all sources, the newest ones first, until it has found each or has read `searchMax`. */
  async findIn(stored: Pick<StoredRecords, "rejections">): Promise<FoundRejections> {
    const wanted = new Map(this.countOf);
    const sourceIds = new Set<string>();
    let found = 0;
    let beforeId: number | undefined;
    for (let read = 0; read < searchMax; read += pageLimit) {
      const page = await stored.rejections(beforeId);
      for (const input of page) {
        const key = contentKey(input);
        const left = wanted.get(key) ?? 0;
        if (left === 0) continue;
        wanted.set(key, left - 1);
        sourceIds.add(input.sourceId);
        found += 1;
      }
      beforeId = page.at(-1)?.id;
      if (found === this.total || page.length < pageLimit) return { found, sourceIds, hasReadAll: true };
    }
    return { found, sourceIds, hasReadAll: false };
  }
}

interface FoundRejections {
  readonly found: number;
  readonly sourceIds: ReadonlySet<string>;
  /** False if older inputs were not read: the others may be among them. */
  readonly hasReadAll: boolean;
}

/** What is found out about the rejected inputs of a file: at most one of these. */
export interface RejectionsVerdict {
  /** A sentence if the quarantine has others than the file. */
  readonly difference?: string;
  /** A sentence if it is not known whether the quarantine has them. */
  readonly unknown?: string;
  /** A sentence if it has them as those of other sources. */
  readonly note?: string;
}

/** Compares the rejected inputs of a file with the quarantine, up to 10,000 of the file's own id. If that id has fewer, the file may have
 *  come in as an upload or a push: then it looks for the same inputs under all ids.
 *  @param sourceId the id that the file has as CSV_FILE */
export async function compareRejections(
  file: FileRejections,
  stored: Pick<StoredRecords, "countRejections" | "rejections">,
  sourceId: string,
): Promise<RejectionsVerdict> {
  const own = await stored.countRejections(sourceId);
  if (own === file.count || (own >= pageLimit && file.count >= pageLimit)) return {};
  const has = `the file has ${file.count} rejected inputs`;
  if (own > file.count) return { difference: `${has}, but the quarantine has ${own}` };
  const { found, sourceIds, hasReadAll } = await file.findIn(stored);
  const places = sourceIds.size === 0 ? "" : ` as those of ${ids.format([...sourceIds].sort())}`;
  if (found === file.count) return { note: `the quarantine has the ${found} rejected inputs${places}` };
  if (hasReadAll) return { difference: `${has}, but the quarantine has ${found} of them${places}` };
  return {
    unknown: `${has}; ${found} of them are among the newest ${searchMax} of the quarantine${places}, and older ones were not compared`,
  };
}

function contentKey({
  reason,
  field,
  value,
  raw,
}: Pick<StoredRejectedInput, "reason" | "field" | "value" | "raw">): number | bigint {
  return Bun.hash(JSON.stringify([reason, field, value, raw]));
}
