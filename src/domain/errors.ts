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

/** The store did not answer or lost the connection; what the call would store may be stored or not. */
export class StoreUnavailable extends TelemetryError {
  readonly code = "store_unavailable";
  readonly retryable = true;
}

/** A query would take too long, or give too many rows: nothing is wrong with the store, another question can be answered. */
export class QueryTooCostly extends TelemetryError {
  readonly code = "query_too_costly";
  readonly retryable = false;
}

/** The store refused the data itself; trying again will refuse it again. */
export class StoreRejected extends TelemetryError {
  readonly code = "store_rejected";
  readonly retryable = false;
}

/** The database's schema is older than this program. Needs a person. */
export class SchemaBehind extends TelemetryError {
  readonly code = "schema_behind";
  readonly retryable = false;
}

/** etcd did not answer, lost the connection or has no leader; what the call would change may have been changed or not. */
export class EtcdUnavailable extends TelemetryError {
  readonly code = "etcd_unavailable";
  readonly retryable = true;
}

/** etcd's database has reached its quota: nothing can be written until space is made; nothing was changed. */
export class EtcdOutOfSpace extends TelemetryError {
  readonly code = "etcd_out_of_space";
  readonly retryable = true;
}

/** etcd refused the request itself (rights, size); trying again will be refused again. */
export class EtcdRefused extends TelemetryError {
  readonly code = "etcd_refused";
  readonly retryable = false;
}

/** A revision of etcd's history that is no longer kept; read the present state instead. */
export class EtcdCompacted extends TelemetryError {
  readonly code = "etcd_compacted";
  readonly retryable = false;
}

/** A lease of etcd has ended, and its keys with it; nothing was changed. A new lease is needed. */
export class LeaseGone extends TelemetryError {
  readonly code = "lease_gone";
  readonly retryable = true;
}

/** A range of a source belongs to another streamer by now; nothing was published. */
export class RangeLost extends TelemetryError {
  readonly code = "range_lost";
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

  constructor(readonly errors: readonly string[]) {
    super(`The configuration has ${errors.length} fault(s):\n${errors.map((fault) => `  - ${fault}`).join("\n")}`);
  }
}
