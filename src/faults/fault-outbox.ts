import type { StoredFault } from "./stored-fault.ts";

/** How far a receiver of webhooks is. */
export interface ReceiverPosition {
  /** It was notified of the changes up to this sequence. */
  readonly sequence: number;
  /** It may have been notified of the changes up to this one: if the sender is lost meanwhile, the next one sends the same again. */
  readonly until: number;
}

/** What has come of a delivery. */
export interface Delivered {
  readonly position: ReceiverPosition;
  /** The ids of faults that are silenced: the receiver is notified when the silence ends before the fault does. */
  readonly postponed: readonly string[];
  /** The ids of faults that no longer wait for that. */
  readonly settled: readonly string[];
}

/** Keeps how far the receivers of webhooks are. Every call throws StoreUnavailable (retryable) if the store does not answer. */
export interface FaultOutbox {
  /** Reads how far a receiver is; a new one begins with the next change.
   *  @throws TermEnded */
  begin(term: number, receiver: string): Promise<ReceiverPosition>;
  /** @throws TermEnded if another term has started; nothing is changed then */
  move(term: number, receiver: string, delivered: Delivered): Promise<void>;
  /** Some of the faults that wait for the end of a silence, ordered by id. */
  postponed(receiver: string): Promise<readonly StoredFault[]>;
}
