import { afterAll, beforeAll, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { dashboardPages, gpuPath, hostPath, type PageName } from "../../src/dashboard/pages.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { startPeopleGateway, TestMapping } from "../routes/access/people-gateway.ts";
import { addTwoDeadLetters, openFleetStore } from "../routes/gateway.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { TestProvider } from "../support/openid-provider.ts";
import { openPage } from "./open-page.ts";

// Every page where access is controlled: for people who sign in at a real OpenID provider, and with a key.

const key = `gtp_browser_${"k".repeat(43)}`;
const uuid = "GPU-host-a-0";
/** Each page with a state of its own in the URL, where it has one. */
const paths: Readonly<Record<PageName, string>> = {
  fleet: "/?metric=temperature&search=host%3Ahost-a",
  faults: "/faults?severity=warning",
  namespaces: "/namespaces?by=pod&from=2025-07-18T20:00:00.000Z&to=2025-07-18T21:00:00.000Z",
  pipeline: "/pipeline",
  host: hostPath("host-a"),
  gpu: `${gpuPath(uuid)}&range=6h`,
};
const names = Object.keys(dashboardPages) as PageName[];
const buttons = ["Acknowledge", "Silence", "Redrive", "Delete"] as const;

let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let provider: TestProvider;
let mapping: TestMapping;
let gateway: Awaited<ReturnType<typeof startPeopleGateway>>;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  [chromium, stored, mapping, provider] = await Promise.all([
    openChromium(),
    openFleetStore(),
    TestMapping.make([
      { subject: "olga", scopes: ["read", "operate"] },
      { subject: "rita", scopes: ["read"] },
    ]),
    TestProvider.start({ gateways: [`http://localhost:${port}`], people: {} }),
  ]);
  const leader = await FaultLeader.of(new SqlFaultStore(stored.client));
  await leader.tell(faultChange({ uuid }, "firing", systemClock.nowMs() - 60_000));
  gateway = await startPeopleGateway({ stored, provider, mapping, port, env: { AUTH_BOOTSTRAP_KEY: key } });
  await addTwoDeadLetters(gateway.gateway.queue);
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await Promise.all([gateway.stop(), provider.stop()]);
  await mapping.remove();
  await stored.close();
});

/** A page asks again if a request is not answered within 30 s, which has happened on a machine with other work. */
const isLive = (page: Page): Promise<void> => page.locator(".status[data-status=live]").waitFor({ timeout: 45_000 });
const pathOf = (page: Page): string => page.url().slice(gateway.url.length);

/** Signs someone in from the page of sign-in, by the provider's forms. */
async function signIn(page: Page, subject: string): Promise<void> {
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await page.locator("[name=login]").fill(subject);
  await page.locator("[name=password]").fill("any");
  await page.locator("[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await isLive(page);
}

/** A browser in which someone has signed in, from a link to the page of a GPU. */
async function browserOf(subject: string): Promise<BrowserContext> {
  const context = await chromium.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${gateway.url}${paths.gpu}`);
  await signIn(page, subject);
  expect(pathOf(page)).toBe(paths.gpu);
  await page.close();
  return context;
}

/** The kinds of buttons that a page offers. */
async function offered(page: Page): Promise<string[]> {
  const counts = await Promise.all(buttons.map((name) => page.getByRole("button", { name, exact: true }).count()));
  return buttons.filter((_, index) => (counts[index] ?? 0) > 0);
}

test("without signing in, a link to any page leads to the page of sign-in, which knows the link", async () => {
  const context = await chromium.browser.newContext();
  const page = await context.newPage();
  for (const name of names) {
    await page.goto(`${gateway.url}${paths[name]}`);
    expect([name, pathOf(page)]).toEqual([name, `/sign-in?return_to=${encodeURIComponent(paths[name])}`]);
  }
  await context.close();
});

test.each([
  ["olga", { faults: ["Acknowledge", "Silence"], pipeline: ["Redrive", "Delete"] }],
  ["rita", { faults: [], pipeline: [] }],
] as const)(
  "%s returns to the linked page, and every page is live and offers what she may do",
  async (subject, may) => {
    const context = await browserOf(subject);
    for (const name of names) {
      const page = await context.newPage();
      await page.goto(`${gateway.url}${paths[name]}`);
      await isLive(page);
      const expected: readonly string[] = name === "faults" || name === "pipeline" ? may[name] : [];
      await page.locator("main :is(.tile, .fault)").first().waitFor();
      expect([name, await offered(page)]).toEqual([name, [...expected]]);
      const reasons = (await page.locator(".why").allTextContents()).filter((text) =>
        text.includes("the scope operate"),
      );
      const hasReason = subject === "rita" && (name === "faults" || name === "pipeline");
      expect([name, reasons.length > 0, reasons.every((text) => text.includes("rita has read;"))]).toEqual([
        ...[name, hasReason, true],
      ]);
      await page.close();
    }
    await context.close();
  },
  120_000,
);

test("a session that has ended says so on every page, and the way back leads to what was shown", async () => {
  const context = await browserOf("olga");
  const open = await Promise.all(
    names.map(async (name) => {
      const page = await context.newPage();
      await page.goto(`${gateway.url}${paths[name]}`);
      await isLive(page);
      return [name, page] as const;
    }),
  );
  const { sessions } = gateway.administration;
  for (const { id } of await sessions.list(10)) await sessions.revoke(id);
  for (const [name, page] of open) {
    const alert = page.getByRole("alert");
    await alert.getByRole("link", { name: "Sign in" }).waitFor();
    expect([name, await page.locator(".status").textContent()]).toEqual([name, "not signed in"]);
  }
  const [[, first] = []] = open.slice(1);
  if (first === undefined) throw new Error("There is no page");
  await first.getByRole("link", { name: "Sign in" }).click();
  await first.getByRole("link", { name: /^Sign in with/ }).click();
  await isLive(first);
  expect(pathOf(first)).toBe(paths.faults);
  // the others come back by themselves
  for (const [, page] of open) await isLive(page);
  await context.close();
}, 120_000);

test("a key opens every page", async () => {
  const httpCredentials = { username: "any", password: key };
  for (const name of names) {
    const first = await openPage(
      chromium,
      `${gateway.url}/sign-in-with-key?return_to=${encodeURIComponent(paths[name])}`,
      {
        httpCredentials,
      },
    );
    expect([pathOf(first.page), first.errors.filter((text) => !text.includes("401"))]).toEqual([paths[name], []]);
    await first.close();
  }
}, 120_000);
