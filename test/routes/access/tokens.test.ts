import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { TestProvider } from "../../support/openid-provider.ts";
import { openFleetStore } from "../gateway.ts";
import { startPeopleGateway, TestMapping } from "./people-gateway.ts";

// JSON Web Tokens of a real OpenID provider, as Authorization: Bearer.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let provider: TestProvider;
let mapping: TestMapping;
let gateway: Awaited<ReturnType<typeof startPeopleGateway>>;
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  [stored, mapping, provider] = await Promise.all([
    openFleetStore(),
    TestMapping.make([
      { groups: ["readers"], scopes: ["read"] },
      { subject: "service", scopes: ["operate"] },
    ]),
    TestProvider.start({ gateways: [], people: {} }),
  ]);
  gateway = await startPeopleGateway({ stored, provider, mapping, port });
});
afterAll(async () => {
  await Promise.all([gateway.stop(), provider.stop()]);
  await mapping.remove();
  await stored.close();
});

const withToken = (token: string, path = "/api/v1/me"): Promise<Response> =>
  fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** The token with another header and signature. */
const withHeader = (token: string, header: object, signature = token.split(".")[2]): string =>
  [encoded(header), token.split(".")[1], signature].join(".");

test("a token is its subject, with the scopes of its groups, until it expires", async () => {
  const exp = inSeconds(120);
  const answer = await withToken(await provider.sign({ preferred_username: "alice@example.org", exp }));
  expect(await answer.json()).toMatchObject({
    data: { kind: "token", id: "oidc:alice", name: "alice@example.org", scopes: ["read"] },
  });
  const token = await provider.sign({ sub: "service", groups: null });
  expect(await (await withToken(token)).json()).toMatchObject({ data: { id: "oidc:service", scopes: ["operate"] } });
  expect((await withToken(token, "/api/v1/gpus")).status).toBe(403);
});

test("the audit log says why a token was refused, which its sender is not told", async () => {
  const reasonOf = async (token: string): Promise<string> => {
    const path = `/api/v1/me?${crypto.randomUUID()}`;
    expect(await (await withToken(token, path)).text()).toContain("The key is not valid");
    const { target = "" } = gateway.entries.find(({ target }) => target.startsWith(path)) ?? {};
    return target.slice(path.length);
  };
  expect(await reasonOf(await provider.sign({ exp: inSeconds(-31) }))).toBe(" (token: it has expired)");
  expect(await reasonOf(await provider.sign({ nbf: inSeconds(60) }))).toBe(" (token: it is not valid yet)");
  expect(await reasonOf(await provider.sign({ aud: "other" }))).toBe(" (token: its aud is not the expected one)");
  expect(await reasonOf(await provider.sign({ iss: "https://other" }))).toContain("its iss is not the expected one");
  expect(await reasonOf(await provider.sign({ exp: null }))).toBe(" (token: it has no exp)");
  expect(await reasonOf(await provider.sign({}, { typ: "dpop+jwt" }))).toBe(" (token: its typ is not JWT or at+jwt)");
  expect(await reasonOf(await provider.sign({ sub: "" }))).toContain("its sub is not a text");
  expect(await reasonOf(`${await provider.sign()}x`)).toBe(" (token: its signature is wrong)");
  const strangers = await provider.sign({ sub: "bob", groups: ["visitors"] });
  expect(await reasonOf(strangers)).toBe(" (token: AUTH_MAPPING_FILE grants nothing to bob)");
  expect(await reasonOf("a.b.c")).toBe(" (token: it is not a usable token)");
});

describe("a token is refused", () => {
  const claims: [string, Record<string, unknown>][] = [
    ["of another issuer", { iss: "https://another.example" }],
    ["of an issuer that only begins alike", { iss: "PROVIDER/" }],
    ["for another audience", { aud: "other" }],
    ["for the client as which people sign in", { aud: "gateway" }],
    ["without an audience", { aud: null }],
    ["without an issuer", { iss: null }],
    ["that has expired", { exp: inSeconds(-31) }],
    ["without an expiry", { exp: null }],
    ["with an expiry that is a text", { exp: "never" }],
    ["that is not valid yet", { nbf: inSeconds(60) }],
    ["without a subject", { sub: null }],
    ["with an empty subject", { sub: "" }],
    ["whose subject is no text", { sub: { id: 1 } }],
    ["whose subject is too long", { sub: "s".repeat(256) }],
    ["whose groups no entry fits", { groups: ["visitors"] }],
    ["whose groups are no texts", { groups: [["readers"], { name: "readers" }] }],
    ["whose groups are an object", { groups: { readers: true } }],
  ];
  test.each(claims)("%s", async (_, change) => {
    const iss = change["iss"] === "PROVIDER/" ? { iss: `${provider.issuer}/` } : {};
    expect((await withToken(await provider.sign({ ...change, ...iss }))).status).toBe(401);
  });

  test("without a signature: none, in any spelling", async () => {
    const token = await provider.sign();
    for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
      for (const signature of ["", "x"]) {
        expect((await withToken(withHeader(token, { alg, kid: provider.keyId }, signature))).status).toBe(401);
      }
    }
  });

  test("signed with the public key as the secret of an HMAC", async () => {
    const { keys } = (await (await fetch(`${provider.issuer}/jwks`)).json()) as { keys: JWK[] };
    const jwk = keys[0] as JWK;
    const pem = await exportSPKI((await importJWK(jwk, "RS256", { extractable: true })) as CryptoKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), jwk.n ?? ""]) {
      const signer = new SignJWT({ groups: ["readers"] })
        .setProtectedHeader({ alg: "HS256", kid: provider.keyId })
        .setIssuer(provider.issuer)
        .setAudience("api")
        .setSubject("alice")
        .setExpirationTime("1m");
      expect((await withToken(await signer.sign(Buffer.from(secret)))).status).toBe(401);
    }
  });

  test("signed with a key that its own header brings or names", async () => {
    const own = await generateKeyPair("RS256", { extractable: true });
    const jwk = await exportJWK(own.publicKey);
    let fetched = 0;
    const server = Bun.serve({
      port: 0,
      fetch: () => {
        fetched += 1;
        return Response.json({ keys: [{ ...jwk, kid: provider.keyId }] });
      },
    });
    const url = server.url.href;
    const headers = [{ jwk }, { jku: url }, { x5u: url }, { x5c: ["MII"] }, { jku: url, kid: "other" }, {}];
    for (const header of headers) {
      const token = await new SignJWT({ groups: ["readers"] })
        .setProtectedHeader({ alg: "RS256", kid: provider.keyId, ...header })
        .setIssuer(provider.issuer)
        .setAudience("api")
        .setSubject("alice")
        .setExpirationTime("1m")
        .sign(own.privateKey);
      expect((await withToken(token)).status).toBe(401);
    }
    expect(fetched).toBe(0);
    await server.stop(true);
  });

  test("with another algorithm than its key's, a critical header that is not known, or a type that is for other purposes", async () => {
    for (const header of [{ alg: "PS256" }, { crit: ["x"], x: 1 }, { typ: "logout+jwt" }, { typ: "dpop+jwt" }]) {
      const token = await provider.sign({}, header as object).catch(() => undefined);
      const changed = token ?? withHeader(await provider.sign(), { alg: "RS256", kid: provider.keyId, ...header });
      expect((await withToken(changed)).status).toBe(401);
    }
    expect((await withToken(await provider.sign({}, { typ: "at+jwt" }))).status).toBe(200);
  });

  test("changed in any part, cut, or too long", async () => {
    const token = await provider.sign();
    const [header = "", payload = "", signature = ""] = token.split(".");
    const others = [
      `${header}.${encoded({ ...(JSON.parse(atob(payload)) as object), sub: "service" })}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -4)}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${token}.${signature}`,
      `.${payload}.${signature}`,
      "a.b.c",
      await provider.sign({ padding: "x".repeat(9000) }),
    ];
    for (const other of others) expect((await withToken(other)).status).toBe(401);
    expect((await withToken(token)).status).toBe(200);
  });
});

test("a token opens a socket by a ticket, at any gateway, and the ticket has no more than the token", async () => {
  const token = await provider.sign();
  const headers = { authorization: `Bearer ${token}` };
  const issued = await fetch(`${gateway.url}/api/v1/tickets`, { method: "POST", headers });
  const { ticket } = ((await issued.json()) as { data: { ticket: string } }).data;
  const socket = new WebSocket(`${gateway.url.replace("http", "ws")}/ws?ticket=${ticket}`);
  expect(await new Promise((resolve) => (socket.onopen = () => resolve("open")))).toBe("open");
  socket.close();
});
