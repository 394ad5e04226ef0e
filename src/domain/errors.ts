/** An error that callers handle by its class. It has a stable code, and states whether a retry can help. */
export abstract class TelemetryError extends Error {
  abstract readonly code: string;
  /** True if the same call may succeed later. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The store did not answer, the connection was lost, or an operator has to act (the disk is full, a table is missing). The
 *  call's data may or may not be stored. */
export class StoreUnavailable extends TelemetryError {
  readonly code = "store_unavailable";
  readonly retryable = true;
}

/** A query takes too long or returns too many rows. The store works, and can answer a smaller query. */
export class QueryTooCostly extends TelemetryError {
  readonly code = "query_too_costly";
  readonly retryable = false;
}

/** The client has left before it was answered: it closed its connection, or ended the operation. */
export class ClientLeft extends TelemetryError {
  readonly code = "client_left";
  readonly retryable = false;
}

/** The store refused the data, and would refuse the same data again. */
export class StoreRejected extends TelemetryError {
  readonly code = "store_rejected";
  readonly retryable = false;
}

/** The database's schema is older than this program. An operator has to migrate it. */
export class SchemaBehind extends TelemetryError {
  readonly code = "schema_behind";
  readonly retryable = false;
}

/** The database's schema is newer than this program. An operator has to start the newer version, or restore a backup. */
export class SchemaAhead extends TelemetryError {
  readonly code = "schema_ahead";
  readonly retryable = false;
}

/** The database is not the one that the queue's messages go to. An operator has to decide which pipeline the process belongs to. */
export class OtherStore extends TelemetryError {
  readonly code = "other_store";
  readonly retryable = false;
}

/** The folder or store of objects that has the archive does not answer, or refuses. */
export class ArchiveUnavailable extends TelemetryError {
  readonly code = "archive_unavailable";
  readonly retryable = true;
}

/** etcd did not answer or has no leader, or the connection was lost. The call's change may or may not have been made. */
export class EtcdUnavailable extends TelemetryError {
  readonly code = "etcd_unavailable";
  readonly retryable = true;
}

/** etcd's database has reached its quota and accepts no writes until space is freed. Nothing was changed. */
export class EtcdOutOfSpace extends TelemetryError {
  readonly code = "etcd_out_of_space";
  readonly retryable = true;
}

/** A request to etcd failed, and the same request would fail again: etcd refused it (rights are missing), it is too large, or
 *  a value in etcd is unreadable. */
export class EtcdRefused extends TelemetryError {
  readonly code = "etcd_refused";
  readonly retryable = false;
}

/** etcd's history no longer has the requested revision. The caller has to read the current state instead. */
export class EtcdCompacted extends TelemetryError {
  readonly code = "etcd_compacted";
  readonly retryable = false;
}

/** The supervisor of this machine does not answer, or refuses. The call's change may or may not have been made. */
export class SupervisorUnavailable extends TelemetryError {
  readonly code = "supervisor_unavailable";
  readonly retryable = true;
}

/** The Kubernetes API did not answer, or cannot answer now. The call's change may or may not have been made. */
export class KubernetesUnavailable extends TelemetryError {
  readonly code = "kubernetes_unavailable";
  readonly retryable = true;
}

/** The Kubernetes API refused a call, and would refuse the same call again: a right is missing, the object does not exist or has
 *  changed, or the requested revision is gone. Nothing was changed. */
export class KubernetesRefused extends TelemetryError {
  readonly code = "kubernetes_refused";
  readonly retryable = false;

  /** @param status of the answer, such as 403 */
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** A lease of etcd has ended, and its keys are deleted. The refused call changed nothing. The operation can
 *  succeed with a new lease. */
export class LeaseGone extends TelemetryError {
  readonly code = "lease_gone";
  readonly retryable = true;
}

/** The streamer no longer owns the range or the live source: its lease ended, and another streamer may own it now. The refused
 *  transaction published nothing. */
export class RangeLost extends TelemetryError {
  readonly code = "range_lost";
  readonly retryable = false;
}

/** The coordinator no longer leads: its term ended, and another coordinator may lead now. The refused write changed
 *  nothing. */
export class TermEnded extends TelemetryError {
  readonly code = "term_ended";
  readonly retryable = false;
}

/** The queue was closed before or during the call. */
export class QueueClosed extends TelemetryError {
  readonly code = "queue_closed";
  readonly retryable = false;
}

/** A message's payload cannot be read: its encoding or schema version is unknown, its bytes are damaged, its
 *  content does not fit the schema, or it is too large. */
export class UndecodablePayload extends TelemetryError {
  readonly code = "undecodable_payload";
  readonly retryable = false;
}

/** A newer version of this program has written what this one does not understand. A process of the newer version can handle it. */
export class NeedsNewerVersion extends TelemetryError {
  readonly code = "needs_newer_version";
  readonly retryable = false;
}

/** A block of the history cannot be read: its bytes are damaged, or a newer program has written it. */
export class UndecodableBlock extends TelemetryError {
  readonly code = "undecodable_block";
  readonly retryable = false;
}

/** A source cannot be used (the file does not exist, or its header fits no layout). An operator has to correct it. */
export class UnusableSource extends TelemetryError {
  readonly code = "unusable_source";
  readonly retryable = false;
}

/** There is no room for an upload. The same upload can succeed later. */
export class UploadRefused extends TelemetryError {
  readonly code = "upload_refused";
  readonly retryable = true;

  constructor(
    message: string,
    readonly retryAfterSeconds: number,
  ) {
    super(message);
  }
}

/** An upload has been cancelled or has failed: its bytes are deleted, and it takes no more. */
export class UploadGone extends TelemetryError {
  readonly code = "upload_gone";
  readonly retryable = false;
}

/** Another process has locked DATA_DIR, or this process cannot use DATA_DIR. An operator has to correct it. */
export class DataDirUnusable extends TelemetryError {
  readonly code = "data_dir_unusable";
  readonly retryable = false;
}

/** A gateway that would be open to the network has no key. An operator has to give it one. */
export class AuthMissing extends TelemetryError {
  readonly code = "auth_missing";
  readonly retryable = false;

  /** @param problems of AUTH_KEYS_FILE */
  constructor(problems: readonly string[] = []) {
    super(
      "auth_missing: this gateway needs a key (it listens beyond loopback, or AUTH=required), and there is none. Set " +
        "AUTH_BOOTSTRAP_KEY_FILE, AUTH_KEYS_FILE or AUTH_OIDC_ISSUER, or store a key with 'bun run telemetry -- keys create --direct'; or type " +
        "AUTH=off to let everyone who reaches the port read and change everything (docs/security.md)" +
        problems.map((problem) => `\n  - ${problem}`).join(""),
    );
  }
}

/** A file of the server's certificate cannot be read or used, or does not fit the others. */
export class TlsUnusable extends TelemetryError {
  readonly code = "tls_unusable";
  readonly retryable = false;
}

/** The OpenID provider does not answer, so people cannot sign in and new tokens cannot be checked. */
export class ProviderUnavailable extends TelemetryError {
  readonly code = "provider_unavailable";
  readonly retryable = true;
}

/** Someone could not sign in. The message says why, for that person. */
export class SignInFailed extends TelemetryError {
  readonly code = "sign_in_failed";
  readonly retryable = false;

  /** Who is known, but may do nothing here; undefined: who it is was not found out. */
  readonly who: { readonly id: string; readonly name: string } | undefined;

  constructor(message: string, options: { readonly cause?: unknown; readonly who?: SignInFailed["who"] } = {}) {
    super(message, options);
    this.who = options.who;
  }
}

/** The stored keys cannot be read, so a key cannot be checked. */
export class KeysUnavailable extends TelemetryError {
  readonly code = "keys_unavailable";
  readonly retryable = true;
}

/** Environment variables are unusable or contradict each other. The message lists the errors. */
export class InvalidConfig extends TelemetryError {
  readonly code = "invalid_config";
  readonly retryable = false;

  constructor(readonly errors: readonly string[]) {
    super(`The configuration has ${errors.length} error(s):\n${errors.map((error) => `  - ${error}`).join("\n")}`);
  }
}
