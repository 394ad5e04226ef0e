import { InvalidConfig } from "../domain/errors.ts";
import { sessionSettings } from "./session-settings.ts";

/** What a URL's parameters say about the session, apart from TLS. */
export interface SessionParameters {
  /** See PostgresUrl. */
  readonly isPooled: boolean;
  /** The schema of the tables; undefined: the first one of the role's search_path. */
  readonly schema: string | undefined;
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

/** Removes from `url` what is not for the server, so that the rest are its settings, such as `statement_timeout`.
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
  const own = new Set([...ofOtherClients, "client_encoding", "pgbouncer", "schema", "currentSchema"]);
  const fixed = new Set(Object.keys(sessionSettings).map((name) => name.toLowerCase()));
  for (const name of [...searchParams.keys()]) {
    if (own.has(name) || fixed.has(name.toLowerCase())) searchParams.delete(name);
  }
  if (isPooled) searchParams.set("prepare", "false");
  return { isPooled, schema };
}

function refusal(text: string): InvalidConfig {
  return new InvalidConfig([`DATABASE_URL: ${text}`]);
}
