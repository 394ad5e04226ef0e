import type { BrowserContextOptions, Page } from "playwright-core";
import type { OpenChromium } from "../../dev/servers/chromium.ts";

/** A page of the dashboard that a test has opened. */
export interface OpenPage {
  readonly page: Page;
  /** The errors and warnings of its console. */
  readonly errors: readonly string[];
  /** Where its requests and sockets went. */
  readonly origins: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Opens a page, waits until it is live, and collects its errors and the addresses of its requests. */
export async function openPage(
  { browser }: OpenChromium,
  address: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", ({ message }) => void errors.push(message));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:") origins.add(origin);
  });
  page.on("websocket", (socket) => void origins.add(new URL(socket.url()).origin.replace("ws", "http")));
  await page.goto(address);
  // rarely, a request of a page that opens is not answered; the page asks again after 30 s
  await page.locator(".status[data-status=live]").waitFor({ timeout: 45_000 });
  return { page, errors, origins, close: () => context.close() };
}

/** How a page may look: its test runs with each. */
export const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["on a phone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
] as const;

/** How much wider than the window a page is. */
export const overflowPx = (page: Page): Promise<number> =>
  page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
