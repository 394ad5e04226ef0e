import type { GpuBounds } from "../domain/gpu-bounds.ts";
import type { BoundaryPlace } from "./evaluator/evaluator.ts";
import type { PartName, SavedPart } from "./evaluator/saved-part.ts";
import type { FaultChange } from "./fault.ts";
import type { FaultOutbox } from "./fault-outbox.ts";
import type { LastEvaluation } from "./last-evaluation.ts";
import type { Silence, SilenceDraft } from "./silence.ts";
import type {
  ChangeFilter,
  FaultFilter,
  FaultNews,
  FaultPage,
  FaultRequest,
  FaultWithChanges,
  RequestOutcome,
  StoredFault,
} from "./stored-fault.ts";

/** Reads faults. Every call throws StoreUnavailable if the store does not answer. What callers with bounds may see is written in
 *  docs/faults.md. */
export interface FaultQueries {
  faults(filter: FaultFilter): Promise<FaultPage>;
  /** @returns undefined if there is no such fault, or the caller may not see it */
  fault(id: string, within?: GpuBounds): Promise<FaultWithChanges | undefined>;
  /** The changes after a sequence, oldest first. An answer with fewer than `limit` changes has all that there are: `sequence` is then that
   *  of the newest change, whether the caller may see it or not. */
  news(filter: NewsFilter): Promise<News>;
  /** The silences that are in force or are still to begin, and if `withEnded` those that have ended; the newest first.
   *  @param within only those of callers with these bounds; undefined: all */
  silences(filter: { readonly withEnded: boolean; readonly within?: GpuBounds }): Promise<readonly Silence[]>;
  /** @returns undefined if there is no such request */
  request(id: number): Promise<FaultRequest | undefined>;
  /** When the rules were last evaluated. */
  lastEvaluation(): Promise<LastEvaluation>;
}

/** Selects the changes that follow what the reader knows. */
export interface NewsFilter extends ChangeFilter {
  /** The greatest sequence that the reader knows. */
  readonly after: number;
  readonly limit: number;
  readonly within?: GpuBounds;
}

/** Changes, and where to continue. */
export interface News {
  readonly news: readonly FaultNews[];
  /** Continue after this sequence. */
  readonly sequence: number;
}

/** Takes the orders of operators. Every call throws StoreUnavailable if the store does not answer. */
export interface FaultOrders {
  /** Asks the leader to acknowledge a fault.
   *  @returns the id of the request */
  acknowledge(order: { readonly faultId: string } & ByWhom): Promise<number>;
  /** Tells the leader that a device was reset, or a host rebooted.
   *  @returns the id of the request */
  endByBoundary(
    order: { readonly place: BoundaryPlace; readonly boundary: "reset" | "reboot" } & ByWhom,
  ): Promise<number>;
  /** @returns undefined if there are as many silences that have not ended as there may be: in all, or of callers with the draft's bounds */
  silence(draft: SilenceDraft): Promise<Silence | undefined>;
  /** Ends a silence that has not ended.
   *  @param within the bounds of the caller, who may end only silences of callers with the same ones
   *  @returns undefined if there is none */
  endSilence(order: {
    readonly id: number;
    readonly by: string;
    readonly within?: GpuBounds;
  }): Promise<Silence | undefined>;
}

/** The most silences that have not ended: in all, and of callers with the same bounds, so that one team cannot use up those of all. */
export const maxSilences = { inAll: 1000, withinSameBounds: 100 };

/** Who asks, and what for. */
export interface ByWhom {
  readonly by: string;
  readonly comment: string;
}

/** A change that is to be told. */
export interface NewChange extends ByWhom {
  readonly change: FaultChange;
}

/** What a leader writes at once. */
export interface FaultUpdate {
  /** The leader's term. */
  readonly term: number;
  /** 1 for the first update of a term, and then one more for each. A repeated update changes nothing. */
  readonly batch: number;
  readonly changes: readonly NewChange[];
  readonly states: readonly SavedPart[];
  readonly requests: readonly { readonly id: number; readonly outcome: Exclude<RequestOutcome, "open"> }[];
}

/** Keeps what the leader says. Every call throws StoreUnavailable (retryable) if the store does not answer. */
export interface FaultLedger {
  /** Begins a term. From then on, the updates of earlier terms are refused.
   *  @param leader names the process
   *  @returns the number of the term */
  begin(leader: string): Promise<number>;
  /** Writes an update as a whole.
   *  @throws TermEnded if another term has started; nothing is written then */
  write(update: FaultUpdate): Promise<void>;
  /** Saved states, ordered by kind and place.
   *  @param after the last one that is known */
  states(after: PartName | undefined, limit: number): Promise<readonly SavedPart[]>;
  /** The oldest requests that have not been carried out. */
  requests(limit: number): Promise<readonly FaultRequest[]>;
  /** The faults that have not ended, ordered by id, suppressed and pending ones too.
   *  @param after the id of the last one that is known; empty for the first page */
  lasting(after: string, limit: number): Promise<readonly StoredFault[]>;
  /** Deletes some of the faults that ended more than `days` ago with their changes, and of the requests and silences that are as old; and
   *  of faults that ended without having fired more than an hour ago.
   *  @param days 0: for ever
   *  @returns whether there may be more of them */
  deleteOld(days: number): Promise<boolean>;
}

/** Faults in a store. */
export interface FaultStore {
  readonly queries: FaultQueries;
  readonly orders: FaultOrders;
  readonly ledger: FaultLedger;
  readonly outbox: FaultOutbox;
}
