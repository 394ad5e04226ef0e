/** A streamer's work, for one kind of source. */
export interface SourceStream {
  /** What this streamer has to read now: 1 for a live source, its share of the ranges of a replayable one; 0 while others read
   *  everything. */
  readonly share: number;
  /** Why this streamer reads nothing although nothing is wrong; undefined if it reads. */
  readonly waiting?: string | undefined;
  /** Reads and publishes until everything is published or the signal aborts.
   *  @throws UnusableSource, or another error that cannot be retried */
  run(signal: AbortSignal): Promise<void>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
