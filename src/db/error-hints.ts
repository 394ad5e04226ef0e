import { StoreUnavailable } from "../domain/errors.ts";

/** By SQLSTATE or its class, the socket's error code or postgres.js's own: what an operator can do about it. The longest
 *  that a code begins with counts. What goes by itself (a deadlock) needs nobody and is not here.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
const remedies: Readonly<Record<string, string>> = {
  "08": "look at the server's log and the network to it",
  "25006":
    "the server is a standby or read-only: DATABASE_URL must lead to the primary; after a failover this ends by itself",
  "28": "mend user or password in DATABASE_URL, or let the user in (pg_hba.conf)",
  "3D000": "create the database, or mend DATABASE_URL",
  "42501": "grant the user of DATABASE_URL what is missing",
  "42703": "start one process with MIGRATE_ON_START=true to bring the schema up to date",
  "42P01": "start one process with MIGRATE_ON_START=true to bring the schema up to date",
  "53100": "the database's disk is full: make room or enlarge it (data, tablespaces, pg_wal)",
  "53200": "the server has no memory left: lower its work_mem or max_connections, or give it more",
  "53300":
    "each collector takes COLLECTOR_WORKERS + 1 connections: raise the server's max_connections, run fewer, or put a " +
    "pooler between (?prepare=false in DATABASE_URL)",
  "55P03": "another session holds a lock: see pg_stat_activity and pg_locks",
  "57014":
    "the server is slow or a lock is held: see pg_stat_activity; ?statement_timeout=60000 in DATABASE_URL (milliseconds) " +
    "allows longer statements",
  "57P01": "an administrator ended the session or stops the server; this ends when it is back",
  "57P02": "the server has crashed and recovers; its log says why",
  "57P03": "the server starts, stops or recovers; if this lasts, its log says why",
  "57P04": "the database was dropped: restore it, or mend DATABASE_URL",
  "58": "the server's disk or files fail: see its log",
  XX001: "the server's data is damaged: see its log, restore the backup",
  XX002: "an index is damaged: REINDEX it",
  ECONNREFUSED: "start the server, or mend DATABASE_URL; the server's log says why it is down (a full disk stops it)",
  ENOTFOUND: "mend the host in DATABASE_URL, or the name service",
  EAI_AGAIN: "mend the host in DATABASE_URL, or the name service",
  EHOSTUNREACH: "mend the host in DATABASE_URL, or the network",
  ENETUNREACH: "mend the host in DATABASE_URL, or the network",
  ETIMEDOUT: "mend the host in DATABASE_URL, the network, or a firewall between",
  CONNECT_TIMEOUT: "the server is frozen or cut off: look at it, the network, and the host in DATABASE_URL",
};

/** What a server, a socket or a driver said. */
export interface Failure {
  readonly message: string;
  /** SQLSTATE, or another name of the error that does not change. */
  readonly code: string | undefined;
  readonly cause?: unknown;
}

/** A failure that may pass by itself, with what helps where that is known.
 *  @param what happened, and where */
export function unavailable(what: string, failure: Failure): StoreUnavailable {
  const remedy = failure.code === undefined ? undefined : remedyFor(failure.code);
  const { cause } = failure;
  return new StoreUnavailable(`${what}: ${textOf(failure)}${remedy === undefined ? "" : `; ${remedy}`}`, { cause });
}

/** The message, with the code where that is not in it. */
export function textOf({ message, code }: Failure): string {
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

function remedyFor(code: string): string | undefined {
  for (let length = code.length; length > 0; length -= 1) {
    const remedy = remedies[code.slice(0, length)];
    if (remedy !== undefined) return remedy;
  }
  return undefined;
}
