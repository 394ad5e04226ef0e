/** A failure that a caller treats as such: a stable code, and whether trying again can help. */
export abstract class TelemetryError extends Error {
  abstract readonly code: string;
  /** True where the same call may succeed later without anybody changing anything. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** True for a failure of which the same call may recover by itself. */
export function isRetryable(error: unknown): boolean {
  return error instanceof TelemetryError && error.retryable;
}

/** What went wrong, in words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The store did not answer or lost the connection; nothing of the call is stored. */
export class StoreUnavailable extends TelemetryError {
  readonly code = "store_unavailable";
  readonly retryable = true;
}

/** The store refused the data itself; trying again will refuse it again. */
export class StoreRejected extends TelemetryError {
  readonly code = "store_rejected";
  readonly retryable = false;
}

/** The queue was closed while or before the call. */
export class QueueClosed extends TelemetryError {
  readonly code = "queue_closed";
  readonly retryable = false;
}

/** A message's payload cannot be read: unknown encoding or schema version, or damaged bytes. */
export class UndecodablePayload extends TelemetryError {
  readonly code = "undecodable_payload";
  readonly retryable = false;
}

/** A source cannot be used as it is (no such file, header fits no layout). Needs a person. */
export class UnusableSource extends TelemetryError {
  readonly code = "unusable_source";
  readonly retryable = false;
}

/** DATA_DIR is held by another process, or is not a directory of ours. Needs a person. */
export class DataDirUnusable extends TelemetryError {
  readonly code = "data_dir_unusable";
  readonly retryable = false;
}

/** The environment's settings are not usable; lists every fault. */
export class InvalidConfig extends TelemetryError {
  readonly code = "invalid_config";
  readonly retryable = false;

  constructor(readonly faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
  }
}
