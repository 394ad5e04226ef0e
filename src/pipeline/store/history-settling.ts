/** Which hours are to be settled. */
export interface SettleAge {
  /** How long an hour must be over. */
  readonly afterMs: number;
  /** How long no record may have come for an hour that was over already. */
  readonly quietMs: number;
}

/** Records that are imported come in many messages: an hour is left alone while they do. */
const quietMinutesMax = 10;

/** Which hours are to be settled.
 *  @param afterMinutes how long an hour must be over, SETTLE_AFTER_MINUTES */
export function settleAge(afterMinutes: number): SettleAge {
  return { afterMs: afterMinutes * 60_000, quietMs: Math.min(afterMinutes, quietMinutesMax) * 60_000 };
}

/** The hours that wait to be settled, beginnings in milliseconds since the epoch. */
export interface DueHours {
  /** The time of the database. */
  readonly nowMs: number;
  /** The oldest first; these and those at rest are at most a thousand. */
  readonly hours: readonly number[];
  /** When the first of them to become due became it: when it was over for long enough, and no record had come for it for a while.
   *  Undefined if none is due. */
  readonly dueSince: number | undefined;
  /** Hours that rest: their rows came after their blocks were deleted because of their age, and are not settled. */
  readonly resting: readonly number[];
  /** The oldest hour of which any records are rows, whether it is due or not; undefined if there are no rows. */
  readonly oldestInRows: number | undefined;
}

/** What waits to be settled. */
export interface Waiting {
  /** Hours that are due, at most a thousand. */
  readonly dueHours: number;
  /** How long the one that has waited longest has been due; 0 if none is. */
  readonly lagSeconds: number;
}

/** What every report says of the hours that are due. */
export function waitingOf({ nowMs, hours, dueSince = nowMs }: DueHours): Waiting {
  return { dueHours: hours.length, lagSeconds: Math.max(0, nowMs - dueSince) / 1000 };
}

/** What a step has done. `settled`: records of some GPUs, up to the key `lastKey`; undefined if none follow. Otherwise nothing:
 *  records are being added to the hour, or to very many hours, or another process settles. */
export type SettleStep =
  | { readonly outcome: "settled"; readonly records: number; readonly lastKey: number | undefined }
  | { readonly outcome: "hour is busy" | "others settle" };

/** Settles history: the rows of a GPU in an hour become blocks. Every call throws StoreUnavailable (retryable) if the store does not
 *  answer. Any number of processes may settle; one does at a time. */
export interface HistorySettling {
  /** Finds the hours that are due. */
  due(age: SettleAge): Promise<DueHours>;
  /** Settles some GPUs of an hour in one transaction.
   *  @param afterKey only GPUs with greater keys; 0: all
   *  @throws StoreRejected if the records cannot be settled; they then remain as they are */
  settleSome(hour: number, afterKey: number): Promise<SettleStep>;
  /** Notes that hours are settled: if records come for them again, they have to be quiet again first. */
  forget(settled: readonly number[]): Promise<void>;
  /** Adds up the usage of a past day whose hours are settled. @returns false if none is due, or if others settle: it is to be tried later */
  rollUpDay(): Promise<boolean>;
  /** Notes that no records of these hours can be settled until more records come for them: they are not due. */
  rest(hours: readonly number[]): Promise<void>;
}

/** What this process has settled, and what waits. */
export interface SettleFigures {
  readonly settledRecords: number;
  readonly settledSeconds: number;
  /** How often an hour was left for later, because records were being added to it. */
  readonly busyHours: number;
  /** What is due; undefined until it is known. */
  readonly waiting: Waiting | undefined;
}
