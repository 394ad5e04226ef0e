import type { Registry } from "prom-client";
import type { Clock } from "../../../kit/clock.ts";
import { FairTurns } from "../../../kit/fair-turns.ts";
import type { Requester } from "../access/requester.ts";
import { ApiError } from "../api-error.ts";
import { ClientInstruments, type Held } from "./client-instruments.ts";
import { RowBudgets, type RowsLeft } from "./row-budgets.ts";

/** What one client may cost. A client is a key; without a key, it is an address. 0: no limit. */
export interface ClientLimits {
  /** Rows that the database may read for it in a minute, as estimated. */
  readonly rowsPerMinute: number;
  readonly sockets: number;
  readonly subscriptions: number;
  readonly exports: number;
}

interface ClientCostsOptions {
  readonly limits: ClientLimits;
  readonly registry: Registry;
  readonly clock: Clock;
}

const settingOf: Readonly<Record<Held, string>> = {
  sockets: "CLIENT_MAX_SOCKETS",
  subscriptions: "CLIENT_MAX_SUBSCRIPTIONS",
  exports: "CLIENT_MAX_EXPORTS",
};

/** As many wait as there are exports, each for a few milliseconds. */
const maxPassMs = 60_000;
/** When a client should try again to open what it has too many of. */
const retryAfterSeconds = 5;

/** What was taken of a client's budget for a question. */
export interface Charge {
  readonly estimatedRows: number;
  /** Takes what was read instead. */
  readonly settle: (readRows: number) => void;
}

/** Counts what each client costs, and refuses what is above its limits. */
export class ClientCosts {
  readonly instruments: ClientInstruments;
  private readonly budgets: RowBudgets | undefined;
  private readonly passes: FairTurns;
  private readonly held: Readonly<Record<Held, Map<string, number>>> = {
    sockets: new Map(),
    subscriptions: new Map(),
    exports: new Map(),
  };

  constructor(private readonly options: ClientCostsOptions) {
    const { limits, registry, clock } = options;
    this.instruments = new ClientInstruments(registry);
    const waits = { maxWaiting: Infinity, maxWaitingPerClient: Infinity, maxWaitMs: maxPassMs };
    this.passes = new FairTurns({ ...waits, atATime: 1, atATimePerClient: 1, clock });
    this.budgets = limits.rowsPerMinute === 0 ? undefined : new RowBudgets(limits.rowsPerMinute, clock);
  }

  /** What is left of the client's budget; undefined if there is no budget. */
  rowsLeft({ client }: Requester): (RowsLeft & { readonly rowsPerMinute: number }) | undefined {
    return this.budgets && { ...this.budgets.left(client), rowsPerMinute: this.budgets.rowsPerMinute };
  }

  /** @throws ApiError 429 if nothing is left of the client's budget */
  requireRows(requester: Requester): void {
    if (this.budgets !== undefined && this.budgets.left(requester.client).rows <= 0) throw this.rowsRefused(requester);
  }

  /** Takes estimated rows of the client's budget.
   *  @param estimate called only if the client has any left
   *  @throws ApiError 429 if nothing is left of the budget */
  charge(requester: Requester, estimate: () => number): Charge {
    const { client } = requester;
    // before the estimate, which takes longer than the refusal
    this.requireRows(requester);
    const estimatedRows = estimate();
    const settle = this.budgets?.take(client, estimatedRows);
    this.instruments.read(requester, estimatedRows);
    return {
      estimatedRows,
      settle: (readRows) => {
        settle?.(readRows);
        this.instruments.read(requester, Math.max(0, readRows - estimatedRows));
      },
    };
  }

  /** Lets the process answer other requests. Of the answers that wait here, only one goes on at a time: otherwise many long ones would
   *  together keep the process busy between two requests.
   *  @throws the signal's reason */
  othersFirst({ client }: Requester, signal: AbortSignal): Promise<void> {
    return this.passes.run(client, signal, () => new Promise((resolve) => void setImmediate(resolve)));
  }

  /** Counts a socket, a subscription or an export of the client.
   *  @returns a function to call at its end; later calls do nothing
   *  @throws ApiError 429 if the client has as many as it may have */
  hold(kind: Held, requester: Requester): () => void {
    const { client } = requester;
    const held = this.held[kind];
    const max = this.options.limits[kind];
    const count = held.get(client) ?? 0;
    if (max > 0 && count >= max) {
      this.instruments.refused(requester, kind);
      throw new ApiError(429, "too_many_requests", {
        message: `This client has ${max} ${kind}, as many as ${settingOf[kind]} allows; end one of them first`,
        details: { reason: kind, max, retry_after_seconds: retryAfterSeconds },
      });
    }
    held.set(client, count + 1);
    this.instruments.holds(requester, kind, 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (held.get(client) ?? 1) - 1;
      if (left === 0) held.delete(client);
      else held.set(client, left);
      this.instruments.holds(requester, kind, -1);
    };
  }

  private rowsRefused(requester: Requester): ApiError {
    const { rowsPerMinute } = this.options.limits;
    const seconds = this.budgets?.retryAfterSeconds(requester.client) ?? 1;
    this.instruments.refused(requester, "rows");
    return new ApiError(429, "too_many_requests", {
      message:
        `This client has used up the ${rowsPerMinute} rows a minute that CLIENT_ROWS_PER_MINUTE allows. Try again in ${seconds} s, ` +
        "with a shorter window or fewer GPUs",
      details: {
        reason: "rows",
        rows_per_minute: rowsPerMinute,
        remaining_rows: this.budgets?.left(requester.client).rows ?? 0,
        retry_after_seconds: seconds,
      },
    });
  }
}
