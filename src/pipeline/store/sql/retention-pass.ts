import { pastDeadlocks } from "../../../db/past-deadlocks.ts";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { tryRetentionLock } from "../../../db/sql/delete-old.ts";

/** Thrown if another process deletes history. */
export class OthersDelete extends Error {}

/** Deletes `maxRows` rows of what is older than `days`, or a few more that must go with them.
 *  @returns the number of deleted rows: less than `maxRows` if nothing is left */
export type DeleteSome = (transaction: SqlTransaction, days: number, maxRows: number) => Promise<number>;

/** What is deleted in transactions of about `perStep` rows. */
export interface Steps {
  readonly deleteSome: DeleteSome;
  readonly perStep: number;
  /** Names in the report what is deleted; absent: it is not reported. */
  readonly what?: string;
}

/** One time through all that retention deletes. A pass that finds another process deleting ends there. The other one has had each turn
 *  before this one, and goes on, so nothing is left out: of passes at the same time, the last one does all that the others have not. If
 *  they went on instead, two could keep each other from the same deletion, which would then have to wait for the next time. */
export class RetentionPass {
  private readonly counts = new Map<string, number>();

  constructor(private readonly client: SqlClient) {}

  /** What was deleted; undefined if nothing was. */
  report(): string | undefined {
    const parts = [...this.counts].map(([what, count]) => `${count} ${what}`);
    return parts.length === 0 ? undefined : parts.join("; ");
  }

  /** Runs a transaction in which no other process deletes history.
   *  @param what  names in the report what is deleted
   *  @returns the number that `work` returns: of what was deleted
   *  @throws OthersDelete */
  async alone(work: (transaction: SqlTransaction) => Promise<number>, what?: string): Promise<number> {
    const count = await pastDeadlocks(() =>
      this.client.transaction(async (transaction) =>
        (await tryRetentionLock(transaction)) ? work(transaction) : undefined,
      ),
    );
    if (count === undefined) throw new OthersDelete("another process deletes history");
    if (what !== undefined && count > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + count);
    return count;
  }

  /** Deletes until nothing is left. @throws OthersDelete */
  async inSteps(days: number, { deleteSome, perStep, what }: Steps): Promise<void> {
    while ((await this.alone((transaction) => deleteSome(transaction, days, perStep), what)) >= perStep);
  }
}
