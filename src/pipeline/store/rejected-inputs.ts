import type { StoredRejection } from "../../domain/query.ts";

/** The rejected inputs in the store, one by one. Every call throws StoreUnavailable if the store does not answer. */
export interface RejectedInputs {
  /** @returns undefined if it does not exist */
  get(id: number): Promise<StoredRejection | undefined>;
  /** @returns false if it does not exist */
  delete(id: number): Promise<boolean>;
}
