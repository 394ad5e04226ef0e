/** The work of a streamer on the sources of one kind. */
export interface SourceStream {
  /** Reads and publishes until everything is published or the signal aborts.
   *  @throws UnusableSource, or an error that retrying does not help against */
  run(signal: AbortSignal): Promise<void>;
  /** Releases what is claimed. Idempotent. */
  close(): Promise<void>;
}
