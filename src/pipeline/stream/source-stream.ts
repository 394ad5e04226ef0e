/** The work of a streamer on the sources of one kind. */
export interface SourceStream {
  /** Reads and publishes until everything is published or the signal aborts.
   *  @throws UnusableSource, or another error that cannot be retried */
  run(signal: AbortSignal): Promise<void>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
