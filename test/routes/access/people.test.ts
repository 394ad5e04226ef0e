import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { base64url, EncryptJWT, jwtDecrypt } from "jose";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { until } from "../../../dev/until.ts";
import { runTelemetry } from "../../clients/run-telemetry.ts";
import { Redirects } from "../../support/redirects.ts";
import { type ProviderPeople, TestProvider } from "../../support/openid-provider.ts";
import { openFleetStore } from "../gateway.ts";
import { signIn, startPeopleGateway, TestMapping } from "./people-gateway.ts";

// People sign in at a real OpenID provider, at two gateways of one database.

const mappingEntries = [
  { groups: ["readers"], scopes: ["read"] },
  { groups: ["operators"], scopes: ["read", "operate"] },
  { subject: "root", scopes: ["admin", "read"] },
  { groups: ["beta"], scopes: ["read"], selector: { clusters: ["beta"] } },
];
const people: ProviderPeople = {
  alice: { preferred_username: "alice@example.org", groups: ["readers"] },
  oscar: { groups: ["operators", "readers"] },
  root: {},
  bea: { groups: ["beta"] },
  mallory: { preferred_username: "<b>M\u0430l\u200blory</b>", groups: ["visi\u202etors"] },
};
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let provider: TestProvider;
let mapping: TestMapping;
let one: Awaited<ReturnType<typeof startPeopleGateway>>;
let other: Awaited<ReturnType<typeof startPeopleGateway>>;
beforeAll(async () => {
  const [first = 0, second = 0] = await freePorts(2);
  const urls = [first, second].map((port) => `http://localhost:${port}`);
  [stored, mapping, provider] = await Promise.all([
    openFleetStore(),
    TestMapping.make(mappingEntries),
    TestProvider.start({ gateways: urls, people }),
  ]);
  const parts = { stored, provider, mapping };
  one = await startPeopleGateway({ ...parts, port: first });
  other = await startPeopleGateway({ ...parts, port: second });
});
afterAll(async () => {
  await Promise.all([one.stop(), other.stop(), provider.stop()]);
  await mapping.remove();
  await stored.close();
});

const html = { headers: { accept: "text/html" } };
const sessionCookie = "telemetry_session";
const bindingCookie = "telemetry_sign_in";
const get = (browser: Redirects, url: string): Promise<Response> => fetch(url, { headers: browser.headersFor(url) });
const post = (browser: Redirects, url: string, headers: Record<string, string>): Promise<Response> =>
  fetch(url, { method: "POST", redirect: "manual", headers: browser.headersFor(url, { headers }) });
async function signedIn(subject: string, path = "/api/v1/me"): Promise<Redirects> {
  const browser = new Redirects();
  await signIn(browser, one.url, { subject, path });
  return browser;
}
/** The address at which a sign-in would come back from the provider, which the browser has not opened. */
async function almostSignedIn(browser: Redirects, subject = "alice"): Promise<URL> {
  const isBack = (url: string): boolean => url.startsWith(one.url);
  const begin = await browser.open(`${one.url}/sign-in/provider`, {}, isBack);
  // the provider knows the person from an earlier sign-in
  if (isBack(begin.url)) return new URL(begin.url);
  const consent = await browser.submit(begin, { prompt: "login", login: subject, password: "any" });
  return new URL((await browser.submit(consent, { prompt: "consent" }, isBack)).url);
}
async function refusedSignIn(browser: Redirects, url: URL, status: number): Promise<string> {
  const answer = await browser.open(url.href);
  expect([answer.status, browser.cookie(one.url, sessionCookie)]).toEqual([status, undefined]);
  return answer.text;
}

test("a person who opens a page is led to sign in, returns to it, and is who the provider says, at every gateway", async () => {
  const browser = new Redirects();
  const page = "/graphql?query=%7Bgpus%7Buuid%7D%7D";
  const led = await browser.open(`${one.url}${page}`, html);
  const [, link = ""] = /href="(\/sign-in\/provider[^"]*)"/.exec(led.text) ?? [];
  expect(link).toBe(`/sign-in/provider?return_to=${encodeURIComponent(page)}`);
  const begin = await browser.open(`${one.url}${link}`);
  const consent = await browser.submit(begin, { prompt: "login", login: "alice", password: "any" });
  const back = await browser.submit(consent, { prompt: "consent" });
  expect([back.url, back.status]).toEqual([`${one.url}${page}`, 200]);
  for (const { url } of [one, other]) {
    const answer = await get(browser, `${url}/api/v1/me`);
    expect(await answer.json()).toMatchObject({
      data: { kind: "session", id: "oidc:alice", name: "alice@example.org", scopes: ["read"] },
    });
    expect(answer.headers.get("cache-control")).toContain("private");
    expect((await get(browser, `${url}/api/v1/gpus`)).status).toBe(200);
    expect((await get(browser, `${url}/api/v1/keys`)).status).toBe(403);
  }
  const metrics = await (await get(browser, `${one.url}/metrics`)).text();
  expect(metrics).toContain('telemetry_client_requests_total{client="people"}');
  expect(metrics).not.toContain("alice");
  expect(one.entries).toContainEqual({
    ...{ keyId: "oidc:alice", keyName: "alice@example.org", address: expect.any(String) as string },
    ...{ action: "signIn", target: "", result: "ok" },
  });
});

test("a session's cookie cannot be read by scripts or sent by other sites' forms, and the database has only its hash", async () => {
  const browser = new Redirects();
  const answer = await browser.open((await almostSignedIn(browser)).href, {}, () => true);
  const [cookie = ""] = answer.headers.getSetCookie();
  expect(cookie).toMatch(/^telemetry_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Lax$/);
  const text = browser.cookie(one.url, sessionCookie) ?? "";
  const rows = await stored.client.query("select * from access_sessions");
  expect(JSON.stringify(rows)).not.toContain(text);
});

test("scopes of several groups add up; a person whom no entry fits is told so, without HTML or characters of theirs that deceive, and the audit log has it", async () => {
  const oscar = await signedIn("oscar");
  expect(await (await get(oscar, `${one.url}/api/v1/me`)).json()).toMatchObject({
    data: { scopes: ["operate", "read"] },
  });
  const browser = new Redirects();
  const text = await refusedSignIn(browser, await almostSignedIn(browser, "mallory"), 403);
  expect(text).toContain("&lt;b&gt;M\\u0430l\\u200blory&lt;/b&gt; (mallory) may do nothing here");
  expect(text).toContain("visi\\u202etors");
  expect(text).not.toContain("<b>");
  expect(one.entries).toContainEqual(
    expect.objectContaining({ keyId: "oidc:mallory", action: "signIn", result: "forbidden" }),
  );
});

test("a person of a team sees what is within the selector of its group", async () => {
  const browser = await signedIn("bea");
  const own = (await (await get(browser, `${one.url}/api/v1/gpus`)).json()) as { data: { cluster_id: string }[] };
  expect(new Set(own.data.map((gpu) => gpu.cluster_id))).toEqual(new Set(["beta"]));
  expect((await get(browser, `${one.url}/metrics`)).status).toBe(403);
  expect(await (await get(browser, `${one.url}/api/v1/me`)).json()).toMatchObject({
    data: { selector: { clusters: ["beta"] } },
  });
});

describe("a sign-in comes to its end only", () => {
  test("in the browser where it began", async () => {
    const url = await almostSignedIn(new Redirects());
    const victim = new Redirects();
    await refusedSignIn(victim, url, 400);
    // and with a sign-in of its own in progress
    await victim.open(`${one.url}/sign-in/provider`, {}, () => true);
    expect(await refusedSignIn(victim, url, 400)).toContain("was not begun in this browser");
  });

  test("with the state that was sent", async () => {
    const browser = new Redirects();
    const url = await almostSignedIn(browser);
    const state = url.searchParams.get("state") ?? "";
    const others = ["", "x", `${state}x`, state.slice(0, -1), `${state.split(".")[0]}....`];
    for (const wrong of others) {
      const changed = new URL(url);
      changed.searchParams.set("state", wrong);
      await refusedSignIn(browser, changed, 400);
    }
    url.searchParams.append("state", state);
    await refusedSignIn(browser, url, 400);
  });

  test("with the verifier and the nonce of its own code", async () => {
    const browser = new Redirects();
    const [first, second] = [await almostSignedIn(browser), await almostSignedIn(browser)];
    const mixed = new URL(first);
    mixed.searchParams.set("code", second.searchParams.get("code") ?? "");
    expect(await refusedSignIn(browser, mixed, 400)).toContain("refused the code: invalid_grant");
  });

  test("once", async () => {
    const browser = new Redirects();
    const url = await almostSignedIn(browser);
    await browser.open(url.href);
    browser.setCookie(one.url, sessionCookie, "none");
    expect((await browser.open(url.href)).status).toBe(400);
  });

  test("with the provider that is meant", async () => {
    const browser = new Redirects();
    const url = await almostSignedIn(browser);
    url.searchParams.set("iss", "https://another.example");
    expect(await refusedSignIn(browser, url, 400)).toContain("The provider&#x27;s answer is not valid");
  });

  test("if the person agrees", async () => {
    const browser = new Redirects();
    const url = await almostSignedIn(browser);
    const state = url.searchParams.get("state") ?? "";
    const refused = new URL(`${one.url}/sign-in/callback`);
    refused.search = new URLSearchParams({ error: "access_denied", state, iss: provider.issuer }).toString();
    expect(await refusedSignIn(browser, refused, 400)).toContain("refused the sign-in: access_denied");
  });
});

test("a sign-in whose cookie another port of the host has set leads to no page of others", async () => {
  const browser = new Redirects();
  const url = await almostSignedIn(browser);
  const key = base64url.decode(browser.cookie(one.url, bindingCookie) ?? "");
  const { payload } = await jwtDecrypt(url.searchParams.get("state") ?? "", key);
  const state = new EncryptJWT({ ...payload, returnTo: "@evil.example/" });
  url.searchParams.set("state", await state.setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(key));
  const { url: leadsTo } = await browser.open(url.href, {}, () => true);
  expect([leadsTo, browser.cookie(one.url, sessionCookie)]).toEqual([`${one.url}/swagger/`, expect.any(String)]);
});

test("two sign-ins in two windows of a browser both come to their end, at any gateway", async () => {
  const browser = new Redirects();
  const [first, second] = [await almostSignedIn(browser), await almostSignedIn(browser)];
  for (const url of [first, second]) {
    const answer = await browser.open(url.href, {}, (to) => to.endsWith("/swagger/"));
    expect([answer.status, answer.url]).toEqual([303, `${one.url}/swagger/`]);
  }
});

test("a session that was there before is not the one that a sign-in begins", async () => {
  const attacker = await signedIn("oscar");
  const planted = attacker.cookie(one.url, sessionCookie) ?? "";
  const victim = new Redirects();
  victim.setCookie(one.url, sessionCookie, planted);
  await victim.open((await almostSignedIn(victim)).href);
  expect(victim.cookie(one.url, sessionCookie)).not.toBe(planted);
  expect(await (await get(attacker, `${one.url}/api/v1/me`)).json()).toMatchObject({ data: { id: "oidc:oscar" } });
  // a server on another port of the host could add a second cookie
  const headers = { cookie: `${sessionCookie}=${planted}; ${sessionCookie}=${victim.cookie(one.url, sessionCookie)}` };
  expect((await fetch(`${one.url}/api/v1/me`, { headers })).status).toBe(401);
});

test.each([
  "//evil.example/",
  "/\\evil.example",
  "\\\\evil.example",
  "https://evil.example/",
  "javascript:alert(1)",
  "/\tevil.example",
  "/\n/evil.example",
  "/ä",
  "/sign-out",
  "/sign-in?return_to=/docs",
  "",
  "x",
  `/${"a".repeat(3000)}`,
])("after sign-in, return_to=%j leads to the documentation of this gateway", async (path) => {
  const browser = new Redirects();
  await browser.open(`${one.url}/sign-in/provider?return_to=${encodeURIComponent(path)}`, {}, () => true);
  const led = await browser.open(`${one.url}/sign-in?return_to=${encodeURIComponent(path)}`);
  expect(led.text).toContain('href="/sign-in/provider?return_to=%2Fswagger%2F"');
});

test("a change by a session needs the Origin of the gateway's own page; a key needs none", async () => {
  const browser = await signedIn("oscar");
  const url = `${one.url}/api/v1/pipeline/dead-letters/none/redrive`;
  const sibling = `http://localhost:${provider.port}`;
  const own = await post(browser, url, { origin: one.url });
  expect([own.status, await own.json()]).toEqual([404, expect.objectContaining({ success: false })]);
  expect((await post(browser, url, {})).status).toBe(401);
  for (const origin of [sibling, "null", "https://evil.example"]) {
    expect((await post(browser, url, { origin })).status).toBe(403);
  }
  expect((await post(browser, `${one.url}/sign-out`, { origin: sibling })).status).toBe(403);
  expect((await get(browser, `${one.url}/api/v1/me`)).status).toBe(200);
});

test("where every page may read, no page of another origin reads as the person", async () => {
  const [port = 0] = await freePorts(1);
  const open = await startPeopleGateway({ stored, provider, mapping, port, corsOrigins: ["*"] });
  const browser = await signedIn("alice");
  const headers = { origin: "http://localhost:1", "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" };
  const answer = await fetch(`${open.url}/api/v1/gpus`, { headers: browser.headersFor(open.url, { headers }) });
  expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Bearer/)]);
  const socket = new WebSocket(`ws://localhost:${port}/ws`, {
    headers: Object.fromEntries(browser.headersFor(open.url, { headers })),
  });
  const isOpen = await new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  expect(isOpen).toBe(false);
  await open.stop();
});

test("a session ends everywhere, with its sockets, when an administrator revokes it", async () => {
  const [admin, browser] = [await signedIn("root"), await signedIn("alice")];
  const socket = new WebSocket(`${other.url.replace("http", "ws")}/ws`, {
    headers: Object.fromEntries(browser.headersFor(other.url, { headers: { origin: other.url } })),
  });
  const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
  await new Promise((resolve) => (socket.onopen = resolve));
  const { data } = (await (await get(admin, `${one.url}/api/v1/sessions`)).json()) as {
    data: { id: string; subject: string }[];
  };
  const headers = admin.headersFor(one.url, { headers: { origin: one.url } });
  for (const { id } of data.filter(({ subject }) => subject === "alice")) {
    expect((await fetch(`${one.url}/api/v1/sessions/${id}`, { method: "DELETE", headers })).status).toBe(200);
    expect((await fetch(`${one.url}/api/v1/sessions/${id}`, { method: "DELETE", headers })).status).toBe(404);
  }
  expect(await closed).toMatchObject({ code: 1008, reason: "the session was revoked or has expired" });
  for (const { url } of [one, other]) expect((await get(browser, `${url}/api/v1/me`)).status).toBe(401);
});

test("the command line says who it is, lists who is signed in, and ends a session", async () => {
  const browser = await signedIn("oscar");
  const port = Number(new URL(one.url).port);
  const env = { TELEMETRY_KEY: await provider.sign({ sub: "root", groups: null }) };
  const [who, listed] = await Promise.all([
    runTelemetry(port, ["whoami"], env),
    runTelemetry(port, ["sessions", "list", "--json"], env),
  ]);
  expect([who.status, who.text]).toEqual([0, expect.stringMatching(/token +│? *oidc:root/)]);
  const sessions = JSON.parse(listed.text) as { id: string; subject: string }[];
  const { id } = sessions.find(({ subject }) => subject === "oscar") ?? { id: "" };
  expect(await runTelemetry(port, ["sessions", "end", id], env)).toMatchObject({ status: 0 });
  expect((await get(browser, `${one.url}/api/v1/me`)).status).toBe(401);
});

test("signing out ends the session everywhere and leads to the provider's page for that; it needs a click", async () => {
  const browser = await signedIn("alice");
  const copy = browser.headersFor(one.url);
  const page = await browser.open(`${one.url}/sign-out`);
  expect((await get(browser, `${one.url}/api/v1/me`)).status).toBe(200);
  expect(page.headers.get("content-security-policy")).toContain(`form-action 'self' ${provider.issuer};`);
  const out = await browser.submit(page, {}, (url) => url.startsWith(provider.issuer));
  expect(out.url).toStartWith(`${provider.issuer}/session/end?`);
  expect(browser.cookie(one.url, sessionCookie)).toBeUndefined();
  expect((await fetch(`${one.url}/api/v1/me`, { headers: copy })).status).toBe(401);
  await until(async () => (await fetch(`${other.url}/api/v1/me`, { headers: copy })).status === 401);
  expect(one.entries).toContainEqual(expect.objectContaining({ keyId: "oidc:alice", action: "signOut", result: "ok" }));
});

test("with a public address of https, cookies are for TLS and for this host alone", async () => {
  const [port = 0] = await freePorts(1);
  const env = { AUTH_PUBLIC_URL: "https://gpus.example.org" };
  const secure = await startPeopleGateway({ stored, provider, mapping, port, env });
  const answer = await fetch(`${secure.url}/sign-in/provider`, { redirect: "manual" });
  const [cookie = ""] = answer.headers.getSetCookie();
  expect(cookie).toMatch(/^__Host-telemetry_sign_in=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/);
  const led = await fetch(`${secure.url}/docs`, { redirect: "manual", ...html });
  expect(led.headers.get("location")).toBe("https://gpus.example.org/sign-in?return_to=%2Fdocs");
  await secure.stop();
});

test("a page's request without a session is no reason for the browser to ask for a password; curl is told of both ways", async () => {
  const challenge = async (headers: Record<string, string>): Promise<string | null> =>
    (await fetch(`${one.url}/api/v1/gpus`, { headers })).headers.get("www-authenticate");
  expect(await challenge({ "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin" })).toBe(
    'Bearer realm="gpu-telemetry"',
  );
  expect(await challenge({})).toStartWith("Basic realm");
  expect(await challenge({ authorization: "Bearer none", accept: "text/html" })).toStartWith("Basic realm");
  const asked = await fetch(`${one.url}/sign-in-with-key?return_to=/docs`, { ...html, redirect: "manual" });
  expect([asked.status, asked.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Basic/)]);
});

test("while the provider is away, people stay signed in, others are told to try again, and it comes back by itself", async () => {
  const browser = await signedIn("alice");
  const pending = new Redirects();
  const url = await almostSignedIn(pending);
  await provider.stop();
  expect((await get(browser, `${one.url}/api/v1/gpus`)).status).toBe(200);
  expect(await refusedSignIn(pending, url, 503)).toContain("the OpenID provider does not answer");
  await provider.restart();
  expect((await get(await signedIn("alice"), `${one.url}/api/v1/me`)).status).toBe(200);
  expect(pending.cookie(one.url, bindingCookie)).toBeDefined();
});

test("a session ends, with its sockets, when the mapping file no longer grants what it has", async () => {
  const browser = await signedIn("alice");
  const socket = new WebSocket(`${one.url.replace("http", "ws")}/ws`, {
    headers: Object.fromEntries(browser.headersFor(one.url, { headers: { origin: one.url } })),
  });
  const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
  await new Promise((resolve) => (socket.onopen = resolve));
  // the last test that needs alice
  await mapping.write([{ groups: ["readers"], scopes: ["write"] }, ...mappingEntries.slice(1)]);
  expect((await closed).code).toBe(1008);
  expect(await (await get(browser, `${one.url}/api/v1/me`)).json()).toMatchObject({ data: { scopes: ["write"] } });
});
