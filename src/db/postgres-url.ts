import { InvalidConfig } from "../domain/errors.ts";
import { type SessionParameters, takeSessionParameters } from "./postgres-parameters.ts";
import { type PostgresTls, takePostgresTls } from "./postgres-tls.ts";

/** A parsed DATABASE_URL. */
export interface PostgresUrl extends SessionParameters {
  /** The whole URL, including a password, with only those parameters that are settings of the server. */
  readonly href: string;
  readonly host: string;
  readonly port: number;
  /** `PostgreSQL at host:port/database`, for messages: without user and password. */
  readonly place: string;
  readonly user: string;
  /** True behind a pooler that may run each transaction in another session (pgbouncer's transaction mode). The URL says
   *  so with `prepare=false` or `prepare=disable`, an option of postgres.js, or with `pgbouncer=true`, one of Prisma. */
  readonly isPooled: boolean;
  /** Reads the files of certificates again: each new connection calls it. */
  readonly tls: () => PostgresTls;
}

/** @param href `postgres://user:password@host:port/database`, with the options of postgres.js, and libpq's for TLS, as its query
 *  @throws InvalidConfig; the message omits the URL, which may contain a password */
export function parsePostgresUrl(href: string): PostgresUrl {
  const url = URL.parse(href);
  const isOther = url === null || !/^postgres(?:ql)?:$/.test(url.protocol);
  if (isOther || url.hostname === "" || url.hostname.includes(",") || isCutApart(url)) {
    throw new InvalidConfig([
      "DATABASE_URL must be postgres://user:password@host:port/database, with one host, and with the special " +
        "characters of user and password percent-encoded: %40 for @, %2F for /, %3A for :, %23 for #, %3F for ?, %25 for %",
    ]);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 5432 : Number(url.port);
  const tls = takePostgresTls(url, host);
  const session = takeSessionParameters(url);
  return {
    ...session,
    href: url.href,
    host,
    port,
    place: `PostgreSQL at ${url.hostname}:${port}${url.pathname}`,
    user: decodeURIComponent(url.username),
    tls,
  };
}

/** True if a part of the password may be where the host, the database or the parameters belong, which messages show: a special character
 *  has ended it. Or if its percent signs encode nothing. */
function isCutApart({ username, password, pathname, search, hash }: URL): boolean {
  if (hash !== "" || pathname.includes("@") || search.includes("@")) return true;
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return false;
  } catch {
    return true;
  }
}
