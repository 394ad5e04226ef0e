/** A part that works by itself from start to stop: a streamer, a collector, the upkeep of etcd. BaseService implements
 *  the start and the stop. */
export interface Service {
  readonly name: string;
  /** True if no other service depends on it. It is then stopped at the same time as the others, which do not wait for its work. */
  readonly isUpkeep: boolean;
  /** Resolves when the service runs. A second call waits for the first; a stopped service does not start again.
   *  @throws the error that prevents the start */
  start(): Promise<void>;
  /** Accepts no new work and finishes unfinished work; when the deadline aborts, abandons it. Resolves when done.
   *  A stop before the start only prevents the start. A second stop waits for the first.
   *  @throws the error that occurs while the service is closed */
  stop(deadline: AbortSignal): Promise<void>;
  /** The service's current error, for operators; undefined if there is none. */
  error(): string | undefined;
  /** The service's current activity, for operators: "slowed to 40 % of full speed: ..."; undefined if there is nothing to
   *  report. */
  activity(): string | undefined;
}
