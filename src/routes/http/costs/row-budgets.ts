import { LRUCache } from "lru-cache";
import type { Clock } from "../../../kit/clock.ts";

/** What a client may still ask for. */
export interface RowsLeft {
  /** Estimated rows; below 0 if the client has asked for more than it had. */
  readonly rows: number;
  /** Seconds until the client has its whole budget again. */
  readonly wholeInSeconds: number;
}

interface Budget {
  rows: number;
  atMs: number;
}

/** Clients whose budgets are remembered. A client beyond them begins with a whole budget again. */
const maxClients = 10_000;
/** A client that asks for more than it has waits for at most so many minutes, whatever it has asked for. */
const maxDebtMinutes = 10;

/** The rows that each client may have the database read. A budget fills up evenly, to at most that of a minute. A client that has any of
 *  it left may ask for more than that, and then waits until the difference has been filled up. */
export class RowBudgets {
  private readonly budgets = new LRUCache<string, Budget>({ max: maxClients });

  constructor(
    readonly rowsPerMinute: number,
    private readonly clock: Clock,
  ) {}

  left(client: string): RowsLeft {
    const rows = Math.floor(this.budgetOf(client).rows);
    return { rows, wholeInSeconds: Math.ceil(((this.rowsPerMinute - rows) / this.rowsPerMinute) * 60) };
  }

  /** Takes estimated rows of the client's budget, also more than are left.
   *  @returns a function to call with the rows that were read. What is above the estimate is taken, too, but not above the rows of a
   *  minute: a question whose answer is empty, because of a typing error, keeps its client waiting for a minute at most */
  take(client: string, estimated: number): (read: number) => void {
    this.change(client, -estimated);
    return (read) => this.change(client, estimated - Math.min(read, Math.max(estimated, this.rowsPerMinute)));
  }

  private change(client: string, rows: number): void {
    const budget = this.budgetOf(client);
    budget.rows = Math.max(Math.min(budget.rows + rows, this.rowsPerMinute), -maxDebtMinutes * this.rowsPerMinute);
  }

  /** Seconds until the client may ask again. */
  retryAfterSeconds(client: string): number {
    const { rows } = this.budgetOf(client);
    // a client that has exactly nothing left has to wait, too
    return Math.max(0, Math.floor((-rows / this.rowsPerMinute) * 60)) + 1;
  }

  private budgetOf(client: string): Budget {
    const nowMs = this.clock.nowMs();
    let budget = this.budgets.get(client);
    if (budget === undefined) {
      budget = { rows: this.rowsPerMinute, atMs: nowMs };
      this.budgets.set(client, budget);
    }
    const added = (Math.max(0, nowMs - budget.atMs) / 60_000) * this.rowsPerMinute;
    budget.rows = Math.min(budget.rows + added, this.rowsPerMinute);
    budget.atMs = nowMs;
    return budget;
  }
}
