import { InvalidConfig } from "../domain/errors.ts";
import { sessionSettings } from "./session-settings.ts";

/** What a URL's parameters say about the session, apart from TLS. */
export interface SessionParameters {
  /** See PostgresUrl. */
  readonly isPooled: boolean;
  /** The schema of the tables; undefined: the first one of the role's search_path. */
  readonly schema: string | undefined;
  /** The limit of a statement that the URL sets; undefined: it sets none. */
  readonly statementTimeoutMs: number | undefined;
}

/** Parameters of other drivers' pools, of libpq's sockets and of providers' own clients. They say nothing about the database, and
 *  connections here have limits of their own. */
const ofOtherClients: ReadonlySet<string> = new Set([
  ...["connection_limit", "pool_timeout", "pool_max_conns", "socket_timeout", "statement_cache_size", "sslaccept"],
  ...["prepared_statement_cache_size", "prepareThreshold", "ApplicationName", "connectTimeout", "socketTimeout"],
  ...["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "load_balance_hosts"],
  ...["fallback_application_name", "supa", "workaround", "uselibpqcompat", "reWriteBatchedInserts"],
  ...["serverVersion", "charset", "connect_timeout"],
]);

/** Parameters that belong before the question mark: a server would be asked for a setting of this name, and name its value in errors. */
const ofPlace: ReadonlySet<string> = new Set([
  ...["host", "hostaddr", "port", "user", "password", "dbname", "passfile", "service"],
]);

/** The units that PostgreSQL's settings of a time may have. Source: https://www.postgresql.org/docs/17/config-setting.html */
const msOfUnit: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** Removes from `url` what is not for the server, so that the rest are its settings, such as `work_mem`.
 *  @throws InvalidConfig for parameters that contradict each other or belong elsewhere; its message omits their values */
export function takeSessionParameters(url: URL): SessionParameters {
  const { searchParams } = url;
  const misplaced = [...searchParams.keys()].find((name) => ofPlace.has(name));
  if (misplaced !== undefined) {
    throw refusal(`${misplaced} belongs before the question mark: postgres://user:password@host:port/database`);
  }
  const encoding = searchParams.get("client_encoding");
  if (encoding !== null && !/^(?:utf-?8|auto)$/i.test(encoding)) {
    throw refusal("client_encoding must be UTF8, or absent");
  }
  const pooled = ["false", "disable"].includes(searchParams.get("prepare") ?? "");
  const isPooled = pooled || ["true", "1"].includes(searchParams.get("pgbouncer") ?? "");
  const schemas = new Set(["schema", "currentSchema"].flatMap((name) => searchParams.getAll(name)));
  if (schemas.size > 1 || (schemas.size > 0 && searchParams.has("search_path"))) {
    throw refusal("schema, currentSchema and search_path exclude each other: set only schema");
  }
  const [schema] = schemas;
  if (schema === "") throw refusal("schema is empty: name one, or remove it");
  const statementTimeoutMs = takeStatementTimeout(searchParams);
  const own = new Set([...ofOtherClients, "client_encoding", "pgbouncer", "schema", "currentSchema"]);
  const fixed = new Set(Object.keys(sessionSettings).map((name) => name.toLowerCase()));
  for (const name of [...searchParams.keys()]) {
    if (own.has(name) || fixed.has(name.toLowerCase())) searchParams.delete(name);
  }
  if (isPooled) searchParams.set("prepare", "false");
  return { isPooled, schema, statementTimeoutMs };
}

/** The client has to know this limit: a call waits for its statement at least as long. */
function takeStatementTimeout(searchParams: URLSearchParams): number | undefined {
  const names = [...searchParams.keys()].filter((name) => name.toLowerCase() === "statement_timeout");
  const [text, ...others] = new Set(names.flatMap((name) => searchParams.getAll(name)));
  for (const name of names) searchParams.delete(name);
  if (text === undefined) return undefined;
  if (others.length > 0) throw refusal("statement_timeout has several values: keep one of them");
  const [, digits, unit = ""] = /^(\d{1,10}) ?([a-z]*)$/.exec(text) ?? [];
  const ms = Number(digits) * (msOfUnit[unit] ?? NaN);
  if (ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  throw refusal(
    `statement_timeout is "${text}", and must be a time above 0, such as 40000 (milliseconds), 40s or 2min`,
  );
}

function refusal(text: string): InvalidConfig {
  return new InvalidConfig([`DATABASE_URL: ${text}`]);
}
