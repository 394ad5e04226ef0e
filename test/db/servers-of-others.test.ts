import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { makeBatch, messageOf as makeMessage } from "../../dev/make-batch.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import type { sessionSettings } from "../../src/db/session-settings.ts";
import { InvalidConfig } from "../../src/domain/errors.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase, databaseOf, withClient } from "../support/postgres-database.ts";

// Databases and roles as others have made them: with another encoding, with other defaults, without rights.

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()), 300_000);
afterAll(() => server.stop());

/** Opens the store and closes it. @returns "opened", or the error's message */
async function opening(url: string): Promise<string> {
  try {
    await (await openPostgresStore({ url, migrate: true })).close();
    return "opened";
  } catch (error) {
    return messageOf(error);
  }
}

const asAdmin = (statement: string, url = server.url): Promise<unknown> =>
  withClient(url, (admin) => admin.query(statement));

test.each(["LATIN1", "SQL_ASCII", "EUC_JP"])(
  "a database with the encoding %s is refused at the start",
  async (encoding) => {
    const url = new URL(server.url);
    url.pathname += `_${encoding.toLowerCase()}`;
    const locale = "lc_collate 'C' lc_ctype 'C' template template0";
    await asAdmin(`create database ${databaseOf(url.href)} encoding '${encoding}' ${locale}`);
    const error = openPostgresStore({ url: url.href, migrate: true });
    await expect(error).rejects.toThrow(InvalidConfig);
    await expect(error).rejects.toThrow(`has the encoding ${encoding}, and texts of any language need UTF8`);
    expect(await withClient(url.href, (client) => client.query("select from pg_class where relname = 'gpus'"))).toEqual(
      [],
    );
  },
);

describe("a database with other defaults", () => {
  const hostile: Readonly<Record<keyof typeof sessionSettings, string>> = {
    TimeZone: "Asia/Kathmandu",
    DateStyle: "German, DMY",
    IntervalStyle: "sql_standard",
    extra_float_digits: "-15",
    bytea_output: "escape",
    standard_conforming_strings: "off",
    default_transaction_isolation: "serializable",
  };
  const text = `select ('2025-01-02 03:04:05+00'::timestamptz)::text as instant, (0.1::float8 + 0.2)::text as number,
    '\\x00ff'::bytea::text as bytes, ('1 day 02:00:00'::interval)::text as span, '\\n' as text, current_setting('transaction_isolation') as isolation`;
  const answer = {
    ...{ instant: "2025-01-02 03:04:05+00", number: "0.30000000000000004", bytes: "\\x00ff" },
    ...{ span: "1 day 02:00:00", text: "\\n", isolation: "read committed" },
  };
  let url: string;
  beforeAll(async () => {
    url = await createDatabase(server, "hostile", { plain: true });
    for (const [name, value] of Object.entries(hostile)) {
      await asAdmin(`alter database ${databaseOf(url)} set ${name} = '${value}'`);
    }
  });

  test("is migrated, and gives the answers of any other", async () => {
    expect(await opening(url)).toBe("opened");
    expect(await withClient(url, (client) => client.query(text))).toEqual([answer]);
    const withOwn = `${url}?timezone=Asia/Tokyo&datestyle=SQL`;
    expect(await withClient(withOwn, (client) => client.query(text))).toEqual([answer]);
  });

  test("gives them behind a pooler in transactions, and the start says what has to be set for the rest", async () => {
    const pooled = `${url}?prepare=false`;
    const within = withClient(pooled, (client) => client.transaction((transaction) => transaction.query(text)));
    expect(await within).toEqual([{ ...answer, isolation: "serializable" }]);
    for (let left = Object.keys(hostile).length; left > 0; left -= 1) {
      const message = await opening(pooled);
      if (message === "opened") return;
      const statement = /ALTER DATABASE .*? SET \w+ = '[^']*'/.exec(message)?.[0];
      expect(statement).toBeDefined();
      await asAdmin(statement ?? "");
    }
    expect(await opening(pooled)).toBe("opened");
  });
});

describe("a user without rights", () => {
  test("learns which grant is missing, one after another, until the store opens", async () => {
    const url = new URL(await createDatabase(server, "rights", { plain: true }));
    await asAdmin(
      'create role "o\'Brien" login; create schema tele; grant usage on schema tele to "o\'Brien"',
      url.href,
    );
    await asAdmin('alter role "o\'Brien" set search_path = tele', url.href);
    url.username = encodeURIComponent("o'Brien");
    const executed: string[] = [];
    for (let message = await opening(url.href); message !== "opened"; message = await opening(url.href)) {
      const statement = /have the owner or a superuser execute: (.+)$/m.exec(message)?.[1] ?? message;
      expect(executed).not.toContain(statement);
      executed.push(statement);
      const admin = new URL(url);
      admin.username = "postgres";
      await asAdmin(statement, admin.href);
    }
    expect(executed).toEqual([`GRANT USAGE, CREATE ON SCHEMA tele TO "o'Brien"`]);
  });

  test.each(["in its search_path", "by ?schema"])(
    "opens a store in the schema that it owns, named %s, also beside a pipeline that others have in the database",
    async (named) => {
      const isByPath = named === "in its search_path";
      const owner = isByPath ? "owner_path" : "owner_url";
      const url = new URL(await createDatabase(server, owner, { plain: isByPath }));
      expect(await opening(url.href)).toBe("opened");
      await asAdmin(`create role ${owner} login; create schema "My tele" authorization ${owner}`, url.href);
      if (isByPath) await asAdmin(`alter role ${owner} set search_path = "My tele"`, url.href);
      else url.searchParams.set("schema", "My tele");
      url.username = owner;
      const migrated = Bun.spawn([process.execPath, "scripts/db-migrate.ts"], {
        cwd: join(import.meta.dir, "../.."),
        env: { PATH: process.env.PATH, DATABASE_URL: url.href },
        stderr: "pipe",
      });
      expect([await migrated.exited, await new Response(migrated.stderr).text()]).toEqual([0, ""]);
      const { store, close } = await openPostgresStore({ url: url.href, migrate: false });
      const batch = makeBatch([{ uuid: "a", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 } }]);
      expect(await store.ingest(makeMessage("a", batch))).toMatchObject({ recordsInserted: 1 });
      await close();
      const journals =
        "select relnamespace::regnamespace::text as schema from pg_class where relname = '__drizzle_migrations'";
      expect(await withClient(url.href, (client) => client.query(`${journals} order by 1`))).toEqual([
        { schema: '"My tele"' },
        { schema: "drizzle" },
      ]);
    },
  );

  test("needs no right on the database if it may create tables in the schema public", async () => {
    const url = new URL(await createDatabase(server, "in_public", { plain: true }));
    await asAdmin("create role in_public login", url.href);
    url.username = "in_public";
    const admin = new URL(url);
    admin.username = "postgres";
    expect(await opening(url.href)).toContain("execute: GRANT USAGE, CREATE ON SCHEMA public TO in_public");
    await asAdmin("GRANT USAGE, CREATE ON SCHEMA public TO in_public", admin.href);
    expect(await opening(url.href)).toBe("opened");
    expect(await opening(url.href)).toBe("opened");
  });

  test("is told what to do about tables of another program that have the same names", async () => {
    const url = await createDatabase(server, "same_names", { plain: true });
    await asAdmin("create table gpus (serial int)", url);
    expect(await opening(url)).toContain("name a schema of its own for this one with ?schema=NAME in DATABASE_URL");
    await asAdmin("create schema own", url);
    expect(await opening(`${url}?schema=own`)).toBe("opened");
    await asAdmin("delete from drizzle.__drizzle_migrations", url);
    expect(await opening(`${url}?schema=own`)).toContain("__drizzle_migrations is lost or emptied");
  });

  test("is told about a table and a schema that another role has", async () => {
    const url = new URL(await createDatabase(server, "others", { plain: true }));
    expect(await opening(url.href)).toBe("opened");
    await asAdmin("create role reader login", url.href);
    url.username = "reader";
    expect(await opening(url.href)).toContain("execute: GRANT USAGE, CREATE ON SCHEMA drizzle TO reader");
    const read = withClient(url.href, (client) => client.query("select from gpus"));
    await expect(read).rejects.toThrow(
      "execute: GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON TABLE gpus TO reader",
    );
  });
});

describe("a schema of its own", () => {
  test("gets the tables if DATABASE_URL names it, and has to exist", async () => {
    const url = await createDatabase(server, "schemas");
    expect(await opening(`${url}?schema=tele`)).toContain('CREATE SCHEMA "tele" AUTHORIZATION "postgres"');
    await asAdmin("create schema tele", url);
    expect(await opening(`${url}?schema=tele`)).toBe("opened");
    const tables =
      "select nspname as schema from pg_class c join pg_namespace n on n.oid = relnamespace where relname = 'gpus'";
    expect(await withClient(url, (client) => client.query(tables))).toEqual([{ schema: "tele" }]);
    const error = await opening(`${url}?schema=tele&prepare=false`);
    expect(error).toContain('ALTER ROLE "postgres" SET search_path = "tele"');
  });

  test("is asked for where search_path names no schema that exists", async () => {
    const url = await createDatabase(server, "astray", { plain: true });
    await asAdmin(`alter database ${databaseOf(url)} set search_path = nowhere`, url);
    expect(await opening(url)).toContain("has none of the schemas in search_path");
  });
});
