/** A streamer's work, for one kind of source. */
export interface SourceStream {
  /** The number of ranges or live sources that this streamer reads now. */
  readonly claims: number;
  /** Reads and publishes until everything is published or the signal aborts.
   *  @throws UnusableSource, or another error that cannot be retried */
  run(signal: AbortSignal): Promise<void>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
