import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { until } from "../../dev/until.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { parsePostgresUrl } from "../../src/db/postgres-url.ts";
import { InvalidConfig } from "../../src/domain/errors.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { clientOf } from "../support/postgres-database.ts";
import { messageOf } from "../../src/kit/message-of.ts";

/** The connection's state as the server sees it, or the error. */
async function connected(url: string): Promise<string> {
  const client = new PostgresClient({ url, maxConnections: 1, clock });
  try {
    const [row] = await client.query<{ ssl: boolean; dn: string | null }>(
      "select ssl, client_dn as dn from pg_stat_ssl where pid = pg_backend_pid()",
    );
    return `${row?.ssl === true ? "TLS" : "plain"}${row?.dn ? ` as ${row.dn}` : ""}`;
  } catch (error) {
    return messageOf(error);
  } finally {
    await client.close();
  }
}

describe("a PostgreSQL server with TLS", () => {
  let server: PostgresServer;
  beforeAll(async () => void (server = await startPostgres({ tls: true })), 300_000);
  afterAll(() => server.stop());

  const otherName = /127\.0\.0\.2 is not in the cert's list.*; use a name that the server's certificate has/;
  const otherAuthority = /self signed certificate.*; set DATABASE_CA_FILE to the authority/;
  const client = "TLS as /O=telemetry/OU=client";
  test.each([
    ["", "plain", "plain"],
    ["sslmode=disable", "plain", "plain"],
    ["sslmode=allow", "TLS", "TLS"],
    ["sslmode=prefer", "TLS", "TLS"],
    ["sslmode=require", "TLS", "TLS"],
    ["sslmode=require&sslrootcert=CA", "TLS", "TLS"],
    ["sslmode=require&sslrootcert=CERT", otherAuthority, otherAuthority],
    ["sslmode=verify-ca&sslrootcert=CA", "TLS", "TLS"],
    ["sslmode=verify-ca&sslrootcert=CERT", otherAuthority, otherAuthority],
    ["sslmode=verify-ca", otherAuthority, otherAuthority],
    ["sslmode=verify-full&sslrootcert=CA", "TLS", otherName],
    ["sslrootcert=CA", "TLS", otherName],
    ["sslmode=verify-full", otherAuthority, otherAuthority],
    ["sslmode=verify-full&sslrootcert=system", otherAuthority, otherAuthority],
    ["ssl=true", otherAuthority, otherAuthority],
    ["sslmode=verify-full&sslrootcert=CA&sslcert=CERT&sslkey=KEY", client, otherName],
    ["sslmode=require&sslcert=CERT&sslkey=KEY", client, client],
  ])(
    "protects a connection with '%s' as libpq does, or better, also at an address that its certificate lacks",
    async (query, own, other) => {
      const { caFile = "", certFile = "", keyFile = "" } = server.certificates ?? {};
      const files = query.replace("=CA", `=${caFile}`).replace("=CERT", `=${certFile}`).replace("=KEY", `=${keyFile}`);
      const url = `${server.url}?${files}`;
      const found = await Promise.all([connected(url), connected(url.replace("127.0.0.1", "127.0.0.2"))]);
      for (const [index, expected] of [own, other].entries()) {
        if (expected instanceof RegExp) expect(found[index]).toMatch(expected);
        else expect(found[index]).toBe(expected);
      }
    },
  );

  describe("that lets a user in only over TLS (hostssl)", () => {
    const user = "guarded:pa%2Fss@";
    let url: string;
    beforeAll(async () => {
      const lines = ["local all all trust", "host all postgres all trust", "hostssl all guarded all scram-sha-256"];
      const admin = clientOf(server.url);
      const [place] = await admin.query<{ file: string }>("select current_setting('hba_file') as file");
      await admin.query("create role guarded login password 'pa/ss'");
      await admin.query(`copy (select unnest(array['${lines.join("', '")}'])) to '${place?.file}'`);
      await admin.query("select pg_reload_conf()");
      url = server.url.replace("postgres@", user);
      await until(async () => (await connected(url)).includes("no encryption"));
      await admin.close();
    });

    const wantsTls =
      /no encryption \(28000\); the server wants TLS: add \?sslmode=verify-full to DATABASE_URL, with DATABASE_CA_FILE/;
    test.each([
      ["", wantsTls],
      ["sslmode=disable", wantsTls],
      ["sslmode=prefer", /^TLS$/],
      ["sslmode=require", /^TLS$/],
      ["sslmode=verify-full&sslrootcert=CA", /^TLS$/],
      ["sslmode=verify-full&sslrootcert=CERT", otherAuthority],
      ["sslmode=require&sslrootcert=CERT", otherAuthority],
    ])("answers '%s' with what it takes", async (query, expected) => {
      const { caFile = "", certFile = "" } = server.certificates ?? {};
      const found = await connected(`${url}?${query.replace("=CA", `=${caFile}`).replace("=CERT", `=${certFile}`)}`);
      expect(found).toMatch(expected);
      expect(found).not.toContain("ss@");
    });

    test("refuses a wrong password over TLS without showing it", async () => {
      const found = await connected(`${url.replace("pa%2Fss", "wr0ng")}?sslmode=require`);
      expect(found).toContain(
        'password authentication failed for user "guarded" (28P01); correct the user or password',
      );
      expect(found).not.toContain("wr0ng");
    });
  });

  test("cancels a statement whose client has left, over TLS too", async () => {
    const url = `${server.url}?sslmode=verify-full&sslrootcert=${server.certificates?.caFile}`;
    const [client, observer] = [url, server.url].map(
      (each) => new PostgresClient({ url: each, maxConnections: 1, clock }),
    );
    const left = new AbortController();
    const failed = client?.until(left.signal).query("select pg_sleep(60)").catch(messageOf);
    const sleeping = async (): Promise<boolean> => {
      const text = "select from pg_stat_activity where wait_event = 'PgSleep'";
      return ((await observer?.query(text)) ?? []).length > 0;
    };
    await until(sleeping);
    left.abort(new Error("left"));
    expect(await failed).toBe("left");
    await until(async () => !(await sleeping()));
    await Promise.all([client?.close(), observer?.close()]);
  });
});

test("a server without TLS is refused by every mode that needs it, before the password is sent", async () => {
  const sent: Buffer[] = [];
  const server = createServer((socket) => {
    socket
      .on("error", () => undefined)
      .on("data", (data: Buffer) => {
        if (sent.push(data) === 1) socket.write("N");
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  expect(await connected(`postgres://me:secret@127.0.0.1:${port}/x?sslmode=require`)).toContain(
    "has no TLS, which sslmode in DATABASE_URL needs",
  );
  expect(Buffer.concat(sent).toString("latin1")).not.toContain("me\0");
  server.close();
});

test.each([
  [
    "sslmode=banana",
    "sslmode=banana is not usable: expected one of disable, allow, prefer, require, verify-ca, verify-full",
  ],
  ["sslmode=", "sslmode= is not usable"],
  ["ssl=yes", "sslmode=yes is not usable"],
  ["sslmode=require&sslmode=disable", "sslmode is there twice"],
  ["sslmode=require&ssl=false", "exclude each other"],
  ["sslmode=prefer&sslrootcert=/ca.pem", "sslrootcert (DATABASE_CA_FILE) needs sslmode=verify-full"],
  ["sslmode=disable&sslcert=/a&sslkey=/b", "sslcert (DATABASE_CA_FILE) needs sslmode"],
  ["sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"],
  ["sslmode=require&sslcert=/a", "sslcert and sslkey belong together"],
  ["sslmode=verify-full&sslrootcert=/no/such/file", "sslrootcert=/no/such/file cannot be read"],
  ["sslmode=verify-full&sslrootcert=/etc/hosts", "expected PEM"],
  ["sslmode=verify-full&sslcrl=/crl", "sslcrl is not supported: revocation lists are not read"],
  ["sslmode=require&channel_binding=require", "channel_binding is not supported"],
  ["sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require"],
])("'%s' in DATABASE_URL is refused, instead of being weaker than it says", (query, problem) => {
  const parse = () => parsePostgresUrl(`postgres://me:secret@db:5432/x?${query}`);
  expect(parse).toThrow(InvalidConfig);
  expect(parse).toThrow(problem);
  expect(parse).not.toThrow("secret");
});
