import { InvalidConfig } from "../domain/errors.ts";
import { type PostgresTls, takePostgresTls } from "./postgres-tls.ts";

/** A parsed DATABASE_URL. */
export interface PostgresUrl {
  /** The whole URL, including a password, without the parameters of TLS. */
  readonly href: string;
  readonly host: string;
  readonly port: number;
  /** `PostgreSQL at host:port/database`, for messages: without user and password. */
  readonly place: string;
  /** True behind a pooler that may run each transaction in another session (pgbouncer's transaction mode). The URL says
   *  so with `prepare=false` or `prepare=disable`, an option of postgres.js. */
  readonly isPooled: boolean;
  readonly tls: PostgresTls;
}

/** @param href `postgres://user:password@host:port/database`, with the options of postgres.js, and libpq's for TLS, as its query
 *  @throws InvalidConfig; the message omits the URL, which may contain a password */
export function parsePostgresUrl(href: string): PostgresUrl {
  const url = URL.parse(href);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol) || url.hostname === "" || url.hostname.includes(",")) {
    throw new InvalidConfig([
      "DATABASE_URL must be postgres://user:password@host:port/database, with one host, and with the special " +
        "characters of user and password percent-encoded",
    ]);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 5432 : Number(url.port);
  const tls = takePostgresTls(url, host);
  return {
    href: url.href,
    host,
    port,
    place: `PostgreSQL at ${url.hostname}:${port}${url.pathname}`,
    isPooled: ["false", "disable"].includes(url.searchParams.get("prepare") ?? ""),
    tls,
  };
}
