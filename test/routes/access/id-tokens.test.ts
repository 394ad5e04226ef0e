import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { Redirects } from "../../support/redirects.ts";
import { testClient } from "../../support/openid-provider.ts";
import { openFleetStore } from "../gateway.ts";
import { startPeopleGateway, TestMapping } from "./people-gateway.ts";

// A provider that answers with tokens which no honest one would, or someone who stands in for it at the token's address.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let mapping: TestMapping;
let gateway: Awaited<ReturnType<typeof startPeopleGateway>>;
let server: Bun.Server<undefined>;
let own: CryptoKeyPair;
let another: CryptoKeyPair;
/** Makes the token of the next sign-in. */
let tokenFor: (nonce: string) => Promise<string | undefined>;
/** What the provider says at its address of user information. */
let userInfo: object;
let nonce: string;

beforeAll(async () => {
  own = await generateKeyPair("RS256", { extractable: true });
  another = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(own.publicKey)), kid: "own", alg: "RS256", use: "sig" };
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async ({ url }) => {
      const [origin, path] = [issuer(), new URL(url).pathname];
      if (path === "/.well-known/openid-configuration") {
        const at = { authorization: "authorize", token: "token", userinfo: "userinfo" };
        const endpoints = Object.entries(at).map(([name, to]) => [`${name}_endpoint`, `${origin}/${to}`]);
        return Response.json({ issuer: origin, jwks_uri: `${origin}/jwks`, ...Object.fromEntries(endpoints) });
      }
      if (path === "/jwks") return Response.json({ keys: [jwk] });
      if (path === "/userinfo") return Response.json(userInfo);
      const token = { access_token: "access", token_type: "Bearer", expires_in: 60 };
      return Response.json({ ...token, id_token: await tokenFor(nonce) });
    },
  });
  const [port = 0] = await freePorts(1);
  [stored, mapping] = await Promise.all([
    openFleetStore(),
    TestMapping.make([{ groups: ["readers"], scopes: ["read"] }]),
  ]);
  gateway = await startPeopleGateway({ stored, provider: { issuer: issuer() }, mapping, port });
});
afterAll(async () => {
  await gateway.stop();
  await server.stop(true);
  await mapping.remove();
  await stored.close();
});
afterEach(() => void (userInfo = { sub: "alice" }));

const issuer = (): string => `http://127.0.0.1:${server.port}`;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

function token(claims: Readonly<Record<string, unknown>>, key = own.privateKey, header: object = {}): Promise<string> {
  const times = { iat: nowSeconds(), exp: nowSeconds() + 60 };
  const all = { iss: issuer(), aud: testClient.id, sub: "alice", groups: ["readers"], nonce, ...times, ...claims };
  const payload = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as JWTPayload;
  return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "own", ...header }).sign(key);
}

/** Signs in. @returns the status of the end, and the session if there is one */
async function signInWith(make: () => Promise<string | undefined>) {
  const browser = new Redirects();
  const begun = await browser.open(`${gateway.url}/sign-in/provider`, {}, () => true);
  const { searchParams } = new URL(begun.url);
  nonce = searchParams.get("nonce") ?? "";
  tokenFor = make;
  const state = encodeURIComponent(searchParams.get("state") ?? "");
  const end = await browser.open(`${gateway.url}/sign-in/callback?code=x&state=${state}`, {}, () => true);
  return { status: end.status, session: browser.cookie(gateway.url, "telemetry_session"), browser };
}

test("a usable token begins a session", async () => {
  expect(await signInWith(() => token({}))).toMatchObject({ status: 303, session: expect.any(String) as string });
});

const unsigned = async (alg: string): Promise<string> => {
  const [, payload = ""] = (await token({})).split(".");
  return `${Buffer.from(JSON.stringify({ alg, kid: "own" })).toString("base64url")}.${payload}.`;
};
const secret = (): Uint8Array => Buffer.from(testClient.secret);
test.each<[string, () => Promise<string | undefined>]>([
  ["no token", () => Promise.resolve(undefined)],
  ["a token of another issuer", () => token({ iss: "https://another.example" })],
  ["a token for another client", () => token({ aud: "another" })],
  ["a token for several clients that another one asked for", () => token({ aud: [testClient.id, "b"], azp: "b" })],
  ["a token that has expired", () => token({ exp: nowSeconds() - 60 })],
  ["a token without an expiry", () => token({ exp: null })],
  ["a token of another sign-in", () => token({ nonce: "another" })],
  ["a token without a nonce", () => token({ nonce: null })],
  ["a token without a subject", () => token({ sub: null })],
  ["a token whose subject is too long", () => token({ sub: "s".repeat(256) })],
  ["a token that another key has signed", () => token({}, another.privateKey)],
  ["a token with a key that is not the provider's", () => token({}, another.privateKey, { kid: "another" })],
  ["a token without a signature", () => unsigned("none")],
  ["a token without a signature that names an algorithm", () => unsigned("RS256")],
  ["a token signed with the client's secret", () => token({}, secret() as never, { alg: "HS256" })],
  ["a token whose subject no database can store", () => token({ sub: "ali\0ce" })],
  ["a text", () => Promise.resolve("token")],
])("%s begins no session", async (_, make) => {
  const { status, session } = await signInWith(make);
  expect([status >= 400, session]).toEqual([true, undefined]);
});

test("names and groups that no database can store hold up nobody", async () => {
  const { browser } = await signInWith(() =>
    token({ preferred_username: "a\0\ud800", groups: ["x\0", "\udc00", "readers", "\u202e"] }),
  );
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: browser.headersFor(gateway.url) });
  expect(await me.json()).toMatchObject({ data: { name: "a\\u0000\\ud800", scopes: ["read"] } });
});

test("groups that only the address of user information has count, if they are of the same subject", async () => {
  userInfo = { sub: "alice", groups: ["readers"] };
  const { browser } = await signInWith(() => token({ groups: null }));
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: browser.headersFor(gateway.url) });
  expect(await me.json()).toMatchObject({ data: { id: "oidc:alice", scopes: ["read"] } });
  userInfo = { sub: "mallory", groups: ["readers"] };
  expect(await signInWith(() => token({ groups: null }))).toMatchObject({ status: 400, session: undefined });
  userInfo = { sub: "alice" };
  expect(await signInWith(() => token({ groups: null }))).toMatchObject({ status: 403, session: undefined });
});
