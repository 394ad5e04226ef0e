import { afterAll, beforeAll, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../../dev/servers/chromium.ts";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { until } from "../../../dev/until.ts";
import { TestProvider } from "../../support/openid-provider.ts";
import { startPeopleGateway, TestMapping } from "../access/people-gateway.ts";
import { addTwoDeadLetters, openFleetStore } from "../gateway.ts";

// A real browser whose user signs in at a real OpenID provider, or with a key. Gateway and provider are different sites.

let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let provider: TestProvider;
let mapping: TestMapping;
let gateway: Awaited<ReturnType<typeof startPeopleGateway>>;
let evil: Bun.Server<undefined>;
let letter: string;
/** Where someone has signed in as alice. */
let signedIn: BrowserContext;
const key = `gtp_browser_${"k".repeat(43)}`;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  [chromium, stored, mapping, provider] = await Promise.all([
    openChromium(),
    openFleetStore(),
    TestMapping.make([{ subject: "alice", scopes: ["read", "operate"] }]),
    TestProvider.start({ gateways: [`http://localhost:${port}`], people: {} }),
  ]);
  const env = { AUTH_BOOTSTRAP_KEY: key };
  gateway = await startPeopleGateway({ stored, provider, mapping, port, env });
  [letter = ""] = await addTwoDeadLetters(gateway.gateway.queue);
  const html = { headers: { "content-type": "text/html" } };
  evil = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<title>evil</title>", html) });
  signedIn = await chromium.browser.newContext();
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await evil.stop(true);
  await Promise.all([gateway.stop(), provider.stop()]);
  await mapping.remove();
  await stored.close();
});

/** Opens an address, and collects what the policy of the pages forbids. */
async function opened(context: BrowserContext, address: string) {
  const page = await context.newPage();
  const forbidden: string[] = [];
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) forbidden.push(message.text());
  });
  await page.goto(address);
  return { page, forbidden };
}

const inPage = (page: Page, script: string): Promise<unknown> =>
  page.evaluate(`(async () => { ${script} })().catch(() => "refused")`);
const socketScript = (path: string): string =>
  `return new Promise((resolve) => {
    const socket = new WebSocket(${JSON.stringify(`${gateway.url.replace("http", "ws")}${path}`)});
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  })`;

/** Tries out an operation in Swagger UI. @returns the status of its answer */
async function triedOut(page: Page, operation: string, fill?: string): Promise<string> {
  const block = page.locator(`#operations-${operation}`);
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Try it out" }).click();
  if (fill !== undefined) await block.locator(".parameters input").first().fill(fill);
  await block.getByRole("button", { name: "Execute" }).click();
  const status = await block.locator(".live-responses-table tbody .response-col_status").first().textContent();
  return status?.trim().slice(0, 3) ?? "";
}

/** Uses Swagger UI, GraphiQL and a socket as their user would. @returns what the pages' policies have forbidden */
async function useOf(context: BrowserContext): Promise<string[]> {
  const swagger = await opened(context, `${gateway.url}/swagger/`);
  expect(await triedOut(swagger.page, "gpus-listGpus")).toBe("200");
  expect(await triedOut(swagger.page, "pipeline-redriveDeadLetter", letter)).toBe("200");
  [letter = ""] = await addTwoDeadLetters(gateway.gateway.queue);
  expect(await inPage(swagger.page, socketScript("/ws"))).toBe("open");
  const query = encodeURIComponent("{ gpus { uuid } }");
  const graphiql = await opened(context, `${gateway.url}/graphql?query=${query}`);
  await graphiql.page.getByRole("button", { name: "Execute query" }).click();
  const result = graphiql.page.locator(".graphiql-response, .result-window").first();
  await until(async () => (await result.textContent())?.includes("GPU-host-a-0") === true);
  return [...swagger.forbidden, ...graphiql.forbidden];
}

test("without signing in, pages lead to the page of sign-in, and a page's request asks for no password", async () => {
  const context = await chromium.browser.newContext();
  const { page } = await opened(context, `${gateway.url}/graphql?query=%7Bgpus%7Buuid%7D%7D`);
  expect(page.url()).toStartWith(`${gateway.url}/sign-in?return_to=`);
  for (const path of ["/docs", "/swagger/", "/api/v1/gpus", "/health"]) {
    await page.goto(`${gateway.url}${path}`);
    expect(page.url()).toBe(`${gateway.url}/sign-in?return_to=${encodeURIComponent(path)}`);
  }
  // CSP lets the page send nothing but to its own origin, so this is what Swagger UI would do without a session
  const script = `const answer = await fetch("/api/v1/gpus"); return [answer.status, answer.headers.get("www-authenticate")]`;
  expect(await inPage(page, script)).toEqual([401, 'Bearer realm="gpu-telemetry"']);
  expect(await inPage(page, socketScript("/ws"))).toBe("refused");
  await context.close();
});

test("a person is led to the provider and back to the page, where Swagger UI, GraphiQL and sockets work", async () => {
  const { page, forbidden } = await opened(signedIn, `${gateway.url}/graphql?query=%7Bclusters%7Bid%7D%7D`);
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await page.locator("[name=login]").fill("alice");
  await page.locator("[name=password]").fill("any");
  await page.locator("[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(/\/graphql/);
  expect(page.url()).toBe(`${gateway.url}/graphql?query=%7Bclusters%7Bid%7D%7D`);
  expect([...forbidden, ...(await useOf(signedIn))]).toEqual([]);
  expect(await inPage(page, "return document.cookie")).toBe("");
  const changes = gateway.entries.filter(({ keyId, result }) => keyId === "oidc:alice" && result === "ok");
  expect(changes.map(({ action }) => action)).toEqual(["signIn", "redriveDeadLetter"]);
});

test.each(["evil.example", "localhost"])("a page of http://%s has no use of a session", async (host) => {
  const { page } = await opened(signedIn, `http://${host}:${evil.port}/`);
  const before = gateway.entries.length;
  const redrive = `${gateway.url}/api/v1/pipeline/dead-letters/${letter}/redrive`;
  expect(
    await inPage(page, `return (await fetch("${gateway.url}/api/v1/me", { credentials: "include" })).status`),
  ).toBe("refused");
  await inPage(page, `await fetch("${redrive}", { method: "POST", mode: "no-cors", credentials: "include" })`);
  expect(await inPage(page, socketScript("/ws"))).toBe("refused");
  const form = `const form = document.createElement("form"); form.method = "post"; document.body.append(form);`;
  await inPage(page, `${form} form.action = "${gateway.url}/sign-out"; form.submit()`);
  await until(() => gateway.entries.length >= before + 4);
  expect(new Set(gateway.entries.slice(before).map(({ result }) => result))).toEqual(new Set(["cross_origin"]));
  const own = await opened(signedIn, `${gateway.url}/swagger/`);
  expect(await inPage(own.page, `return (await (await fetch("/api/v1/me")).json()).data.name`)).toBe("alice");
});

test("a link of another page opens a page with the session", async () => {
  const { page } = await opened(signedIn, `http://evil.example:${evil.port}/`);
  await inPage(page, `location.href = "${gateway.url}/docs"`);
  await page.waitForURL(`${gateway.url}/swagger/`);
});

test("a person signs out here and at the provider, and pages then lead to sign-in", async () => {
  const { page, forbidden } = await opened(signedIn, `${gateway.url}/sign-out`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL((url) => url.origin === provider.issuer);
  await page.locator("button[type=submit][value=yes]").click();
  await page.waitForURL(`${gateway.url}/sign-in*`);
  expect(forbidden).toEqual([]);
  await page.goto(`${gateway.url}/docs`);
  expect(page.url()).toBe(`${gateway.url}/sign-in?return_to=%2Fdocs`);
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await page.locator("[name=login]").waitFor();
});

test("a key that the browser asks for is used by Swagger UI, GraphiQL and sockets", async () => {
  const context = await chromium.browser.newContext({ httpCredentials: { username: "any", password: key } });
  const { page } = await opened(context, `${gateway.url}/docs`);
  await page.getByRole("link", { name: "Use a key" }).click();
  await page.waitForURL(`${gateway.url}/swagger/`);
  expect(await useOf(context)).toEqual([]);
  expect(await inPage(page, `return (await (await fetch("/api/v1/me")).json()).data.kind`)).toBe("key");
  await context.close();
});
