import { StoreUnavailable } from "../domain/errors.ts";
import { grantFor } from "./missing-rights.ts";

const otherSchema =
  "the schema is not that of this version: if a newer version has migrated the database, replace this process with it; " +
  "otherwise start one process with MIGRATE_ON_START=true";

const pooled = "a pooler (pgbouncer) answers there: add ?prepare=false to DATABASE_URL";

const unknownAuthority = "set DATABASE_CA_FILE to the authority that has signed the server's certificate";

/** Advice for an operator, by SQLSTATE or its class, or by the error code of the socket or of postgres.js. Of the keys that
 *  a code begins with, the longest applies. A deadlock has no hint, because the next attempt is likely to avoid it.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
const hints: Readonly<Record<string, string>> = {
  "08": "check the server's log and the network to it",
  "26000": pooled,
  "25006":
    "the server is a standby or read-only: DATABASE_URL must lead to the primary; after a failover this passes by itself",
  "28": "correct the user or password in DATABASE_URL, or allow the user in pg_hba.conf",
  "3F000": "create the schema, or name one that exists with ?schema=NAME in DATABASE_URL",
  "3D000": "create the database, or correct DATABASE_URL",
  "42501": "grant the missing right to the user of DATABASE_URL",
  "42703": otherSchema,
  "42704": "if DATABASE_URL has a parameter of this name, remove it there: the server does not know it",
  "42P05": pooled,
  "42P01": otherSchema,
  "42P07":
    "if the tables there are those of another program, name a schema of its own for this one with ?schema=NAME in DATABASE_URL; if they are " +
    "this program's, its table __drizzle_migrations is lost or emptied: restore that from a backup",
  "53100": "the database's disk is full: free space or enlarge it (data, tablespaces, pg_wal)",
  "53200":
    "the server has no memory left: lower its work_mem or max_connections, or give it more memory; for 'out of shared memory', " +
    "raise max_locks_per_transaction",
  "53300":
    "each process uses up to COLLECTOR_WORKERS + 1 connections for writing and 5 for reading: raise the server's " +
    "max_connections, run fewer processes, or use a pooler (?prepare=false in DATABASE_URL)",
  "55P03": "another session holds a lock: see pg_stat_activity and pg_locks",
  "57014":
    "the server is slow or a lock is held: see pg_stat_activity; ?statement_timeout=40000 in DATABASE_URL " +
    "(milliseconds) allows statements of up to 40 s",
  "57P01": "an administrator ended the session or is stopping the server; this passes when the server is back",
  "57P02": "the server has crashed and is recovering; its log has the reason",
  "57P03": "the server is starting, stopping or recovering; if this lasts, its log has the reason",
  "57P04": "the database was dropped: restore it, or correct DATABASE_URL",
  "58": "the server has disk or file errors: see its log",
  XX001: "the server's data is damaged: see its log, and restore a backup",
  XX002: "an index is damaged: REINDEX it",
  ERR_TLS_CERT_ALTNAME_INVALID: "use a name that the server's certificate has as the host in DATABASE_URL",
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  UNABLE_TO_: unknownAuthority,
  CERT_HAS_EXPIRED: "give the server a new certificate",
  ECONNREFUSED:
    "start the server, or correct DATABASE_URL; the server's log says why it is down (a full disk stops it)",
  ENOTFOUND: "correct the host in DATABASE_URL, or repair the name service",
  EAI_AGAIN: "correct the host in DATABASE_URL, or repair the name service",
  EHOSTUNREACH: "correct the host in DATABASE_URL, or repair the network",
  ENETUNREACH: "correct the host in DATABASE_URL, or repair the network",
  ETIMEDOUT: "correct the host in DATABASE_URL; check the network and any firewall in between",
  CONNECT_TIMEOUT: "the server is frozen or cut off: check it, the network, and the host in DATABASE_URL",
};

/** An error as a server, a socket or a driver reported it. */
export interface ReportedError {
  readonly message: string;
  /** SQLSTATE, or another stable code. */
  readonly code: string | undefined;
  readonly cause?: unknown;
}

/** Advice that depends on the message: of the same code, others have another cause. */
const hintsByMessage: readonly [RegExp, string][] = [
  [/unsupported startup parameter/, pooled],
  [/not allowed in statement pooling mode/, "set pool_mode = transaction or session in pgbouncer for this database"],
  [
    /no encryption|SSL off|SSL connection is required|requires? (?:SSL|TLS|encryption)|insecure connection/i,
    "the server wants TLS: add ?sslmode=verify-full to DATABASE_URL, with DATABASE_CA_FILE if it has its own authority, or " +
      "?sslmode=require, which does not check who answers",
  ],
];

/** The error of a database that may answer a later attempt, with the hint for the code of `error`.
 *  @param event the beginning of the message, such as `the embedded store failed`
 *  @param user of the database, who may lack a right */
export function unavailable(event: string, error: ReportedError, user?: string): StoreUnavailable {
  const hint = error.code === undefined ? undefined : hintFor(error, error.code, user);
  const { cause } = error;
  return new StoreUnavailable(`${event}: ${textOf(error)}${hint === undefined ? "" : `; ${hint}`}`, { cause });
}

/** The message, followed by the code unless the message contains the code. */
export function textOf({ message, code }: ReportedError): string {
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

function hintFor({ message }: ReportedError, code: string, user: string | undefined): string | undefined {
  const byMessage = hintsByMessage.find(([pattern]) => pattern.test(message))?.[1];
  if (byMessage !== undefined) return byMessage;
  const grant = code === "42501" && user !== undefined ? grantFor(message, user) : undefined;
  if (grant !== undefined) return `have the owner or a superuser execute: ${grant}`;
  for (let length = code.length; length > 0; length -= 1) {
    const hint = hints[code.slice(0, length)];
    if (hint !== undefined) return hint;
  }
  return undefined;
}
