/** Why a due reading of a live source is missing. The set is closed, because gaps are counted by it. */
export const readingFaults = [
  /** No complete answer within the time limit. */
  "timeout",
  /** Nothing listens at the port. */
  "refused",
  /** The name service does not know the host. */
  "dns",
  /** No route to the host, or another error of the network. */
  "unreachable",
  /** The TLS handshake failed, or the certificate is not trusted. */
  "tls",
  /** The connection ended in the middle of the answer. */
  "closed_early",
  /** An answer with a status other than 200. */
  "http_status",
  /** The answer, as sent or decompressed, is larger than the limit. */
  "too_large",
  /** The answer is no exposition: a web page, for example. */
  "not_exposition",
  /** The source's command failed, or what it wrote cannot be read. */
  "command_failed",
  /** No streamer read the source. */
  "no_streamer",
  /** The readings before it could not be published, and the memory for readings that wait was full. */
  "memory_full",
  /** The streamer was stopping. */
  "stopped",
] as const;
export type ReadingFault = (typeof readingFaults)[number];

const ownFaults: ReadonlySet<ReadingFault> = new Set(["no_streamer", "memory_full", "stopped"]);

/** True if the pipeline missed the reading for a reason of its own: it says nothing about the source. */
export function isOwnFault(reason: ReadingFault): boolean {
  return ownFaults.has(reason);
}

/** What happened to one or more due readings of a live source. */
export interface SourceReading {
  /** The scheduled time, milliseconds since the epoch; of several readings, that of the last. */
  readonly timeMs: number;
  /** The time from one scheduled reading to the next. */
  readonly intervalMs: number;
  readonly outcome: "read" | "missed";
  /** Why it was missed; absent if it was read. */
  readonly reason?: ReadingFault;
  /** For people: "HTTP 500 after 0.2 s"; absent if it was read. */
  readonly message?: string;
  /** The number of scheduled readings, up to `timeMs`, with this outcome and reason: 1 unless readings were missed together. 0 in
   *  the further parts of a reading that takes several messages: one of its messages counts it. */
  readonly count: number;
  /** True: no list of targets has the source any more. Nothing is due after `timeMs`, until a later reading; `count` is 0. */
  readonly ended?: boolean;
  /** The number of devices whose values the exporter has repeated for a minute; absent: none, or not known. */
  readonly frozen?: number;
  /** The uuids of these devices; of a reading that takes several messages, each message has its own. Absent: none, or the streamer is
   *  of a version that did not say which. */
  readonly frozenDevices?: readonly string[];
}

/** Readings that were read and then dropped. */
export interface DroppedReading {
  readonly timeMs: number;
  readonly reason: ReadingFault;
  readonly message: string;
  readonly count: number;
}

/** Receives each number of due readings that this process has missed. */
export type OnMissed = (reason: ReadingFault, count: number) => void;
