import { expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { unavailable } from "../../src/db/error-hints.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { parsePostgresUrl } from "../../src/db/postgres-url.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { ManualClock } from "../support/manual-clock.ts";

const parse = (query: string) => parsePostgresUrl(`postgres://me:secret@db:5432/x?${query}`);

const [one, two] = ["zq7x", "kw9v"];
test.each([
  ...[`${one}%zz`, `${one}@${two}/w:o#rd`, `${one}/${two}`, `12/${two}`, `12?${two}`, `${one}@${two}?w`, `#${two}`],
  ...[`12#${two}`, `${two}%`, `%E0%A4%A${two}`, `${one}:${two}@1/2`],
])("no part of the password %p is in the error, which says how to encode it", (password) => {
  const url = `postgres://u:${password}@127.0.0.1:5432/d`;
  let message = "";
  try {
    message = parsePostgresUrl(url).place;
  } catch (error) {
    message = messageOf(error);
  }
  expect(message).toContain("%40 for @, %2F for /");
  expect(message).not.toMatch(new RegExp(`${one}|${two}`));
});

test("a password that is encoded is taken as it is meant", () => {
  const password = "p@ss/w:o#r?d%";
  const url = parsePostgresUrl(`postgres://o%27Brien:${encodeURIComponent(password)}@db/x`);
  expect(decodeURIComponent(new URL(url.href).password)).toBe(password);
  expect([url.place, url.user]).toEqual(["PostgreSQL at db:5432/x", "o'Brien"]);
});

test.each([
  // Neon, Supabase, Prisma, Heroku, Symfony, JDBC, SQLAlchemy
  ["channel_binding=prefer", ""],
  ["connection_limit=1&pool_timeout=20&sslaccept=strict", ""],
  ["pgbouncer=true&connection_limit=1", "prepare=false"],
  ["pgbouncer=false", ""],
  ["supa=base-pooler.x&workaround=supabase-pooler.vercel", ""],
  ["serverVersion=16&charset=utf8", ""],
  ["ApplicationName=x&prepareThreshold=0", ""],
  ["gssencmode=disable&keepalives=1&keepalives_idle=30", ""],
  ["client_encoding=utf8&uselibpqcompat=true", ""],
  ["schema=public", ""],
  ["statement_timeout=40000&options=-c%20work_mem%3D64MB", "options=-c+work_mem%3D64MB"],
])("of the parameters %p, the server gets %p", (query, rest) => {
  expect(new URL(parse(query).href).search.slice(1)).toBe(rest);
});

test.each([
  ["statement_timeout=40000", 40_000],
  ["statement_timeout=40s", 40_000],
  ["Statement_Timeout=40s&statement_timeout=40s", 40_000],
  ["statement_timeout=2147483647", 2_147_483_647],
  ["statement_timeout=2%20min&prepare=false", 120_000],
  ["", undefined],
])("with %p, a statement may take %p ms", (query, ms) => {
  expect(parse(query).statementTimeoutMs).toBe(ms);
});

test("a call waits longer than its statement may take by the URL, and no longer than 10 s more", async () => {
  const clock = new ManualClock();
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `postgres://u:p@127.0.0.1:${port}/x?statement_timeout=50s`;
  const client = new PostgresClient({ url, maxConnections: 1, clock });
  const error = client.query("select 1").catch((cause: Error) => cause.message);
  await clock.advance(59_000);
  expect(await Promise.race([error, Promise.resolve("waits")])).toBe("waits");
  await clock.advance(1000);
  expect(await error).toContain("did not answer within 60 s");
  await client.close();
  server.close();
});

test("a schema and a pooler may be named as other clients name them", () => {
  expect(parse("schema=tele")).toMatchObject({ schema: "tele", isPooled: false });
  expect(parse("currentSchema=tele&pgbouncer=true")).toMatchObject({ schema: "tele", isPooled: true });
  expect(parse("prepare=false")).toMatchObject({ schema: undefined, isPooled: true });
});

test.each([
  ["channel_binding=require", "channel_binding is not supported: remove it, and use sslmode=verify-full"],
  ["ssl_min_protocol_version=TLSv1.3", "ssl_min_protocol_version is not supported"],
  ["gssencmode=require", "gssencmode is not supported"],
  ["schema=a&search_path=b", "exclude each other"],
  ["schema=a&currentSchema=b", "exclude each other"],
  ["schema=", "schema is empty"],
  ["statement_timeout=40s&STATEMENT_TIMEOUT=50s", "statement_timeout has several values: keep one of them"],
  ["statement_timeout=2147483648", "must be a time above 0"],
  ["statement_timeout=0", "must be a time above 0"],
  ["statement_timeout=1d", 'statement_timeout is "1d", and must be'],
  ["client_encoding=latin1", "client_encoding must be UTF8"],
  ["password=hidden", "password belongs before the question mark"],
  ["host=other&user=x", "host belongs before the question mark"],
])("%p is refused with a remedy, without the values of secrets", (query, text) => {
  expect(() => parse(query)).toThrow(text);
  expect(() => parse(query)).not.toThrow(/hidden|secret/);
});

test.each([
  [
    "28000",
    'no pg_hba.conf entry for host "10.0.0.1", user "me", database "x", no encryption',
    "add ?sslmode=verify-full to DATABASE_URL",
  ],
  ["28000", "connection is insecure (try using `sslmode=require`): SSL connection is required", "?sslmode=require"],
  ["08P01", "unsupported startup parameter: statement_timeout", "add ?prepare=false to DATABASE_URL"],
  ["26000", 'prepared statement "abc1" does not exist', "add ?prepare=false to DATABASE_URL"],
  ["42P05", 'prepared statement "abc1" already exists', "add ?prepare=false to DATABASE_URL"],
  ["08P01", "transaction blocks not allowed in statement pooling mode", "set pool_mode = transaction or session"],
  ["42704", 'unrecognized configuration parameter "colour"', "remove it there"],
  ["3F000", "no schema has been selected to create in", "?schema=NAME"],
  ["42501", "permission denied for schema public", 'execute: GRANT USAGE, CREATE ON SCHEMA public TO "o\'Brien"'],
  ["42501", 'permission denied for database "My db"', 'ON DATABASE "My db" TO'],
  ["42501", "permission denied for sequence gpus_gpu_key_seq", "GRANT USAGE, SELECT ON SEQUENCE gpus_gpu_key_seq TO"],
  ["42501", "must be owner of table telemetry", "ALTER TABLE telemetry OWNER TO"],
  ["42501", "permission denied to create role", "grant the missing right to the user of DATABASE_URL"],
  ["42501", "new row violates row-level security policy", "grant the missing right to the user of DATABASE_URL"],
])("the error %s (%s) says what to do", (code, message, advice) => {
  expect(unavailable("PostgreSQL at db:5432/x failed", { code, message }, "o'Brien").message).toContain(advice);
});
