/** A figure of the running pipeline, with the instant at which it was measured. */
export interface Signal {
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** The queue between streamers and collectors. A figure that is not known is absent. */
export interface QueueSignals {
  /** Messages that wait for a collector. */
  readonly waitingMessages?: Signal | undefined;
  /** Messages that a collector has claimed. */
  readonly inFlightMessages?: Signal | undefined;
  /** Age of the oldest message, ready or in flight; 0 if there is none. */
  readonly oldestAgeSeconds?: Signal | undefined;
  /** Messages that all streamers publish per second. */
  readonly arrivalPerSecond?: Signal | undefined;
  /** Messages that all collectors store per second. */
  readonly drainPerSecond?: Signal | undefined;
}

/** Figures of the collectors. */
export interface CollectorSignals {
  /** Collectors that report an error. */
  readonly failing?: Signal | undefined;
}

/** Figures of the streamers. */
export interface StreamerSignals {
  /** Targets that all streamers scrape; absent if no streamer has a source with targets. */
  readonly targets?: Signal | undefined;
  /** Ranges of files that are left to read; absent if no streamer has a file. */
  readonly ranges?: Signal | undefined;
  /** Processor time of a streamer, on average; percent of one core. */
  readonly cpuPercent?: Signal | undefined;
}

/** Figures of the gateways. */
export interface GatewaySignals {
  /** Clients that are connected to all gateways. */
  readonly clients?: Signal | undefined;
  /** The slowest gateway's 95th percentile of response times; absent if there were no requests. */
  readonly latencyMsP95?: Signal | undefined;
  /** Processor time of a gateway, on average; percent of one core. */
  readonly cpuPercent?: Signal | undefined;
}

/** The figures that decisions are made from. */
export interface ScalingSignals {
  readonly queue: QueueSignals;
  readonly collectors: CollectorSignals;
  readonly streamers: StreamerSignals;
  readonly gateways: GatewaySignals;
}
