/** What folding has done. */
export interface Folded {
  /** Messages whose rows became part of the sums of their sources. */
  readonly messages: number;
  /** Keys that are no longer kept. */
  readonly forgotten: number;
}

/** Keeps the record of stored messages small. */
export interface MessageFolding {
  /** Folds messages that were published more than a day ago, and forgets keys of messages that were stored more than 31 days ago, a
   *  bounded number of each. One process folds at a time.
   *  @returns what was done; `messages` is 0 if nothing is left to do, or another process is folding
   *  @throws StoreUnavailable (retryable) */
  fold(): Promise<Folded>;
}
