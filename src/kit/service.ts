/** A part that works by itself from start to stop: a streamer, a collector, the upkeep of etcd. BaseService implements
 *  the start and the stop. */
export interface Service {
  readonly name: string;
  /** Resolves once the service runs. A second call does nothing; a stopped service does not start again. */
  start(): Promise<void>;
  /** Accepts nothing new and finishes what is unfinished; when the deadline aborts, abandons it. Resolves when done.
   *  Does nothing before start, or a second time. */
  stop(deadline: AbortSignal): Promise<void>;
  /** One sentence on what is wrong and what to do; undefined if all is well. */
  error(): string | undefined;
  /** What the service does right now, for operators: "slowed to 40 % of full speed: ..." */
  activity(): string | undefined;
}
