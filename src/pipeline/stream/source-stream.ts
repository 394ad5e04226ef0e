/** A streamer's work, for one kind of source. */
export interface SourceStream {
  /** Reads and publishes until everything is published or the signal aborts.
   *  @throws UnusableSource, or another error that cannot be retried */
  run(signal: AbortSignal): Promise<void>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
