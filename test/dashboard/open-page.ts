import type { BrowserContextOptions, Page, Request, WebSocket } from "playwright-core";
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
  const waiting = waitingOf(page);
  await page.goto(address);
  const live = page.locator(".status[data-status=live]");
  // rarely, a request of a page that opens is not answered, which the page notices after 30 s; a person would load it again
  await live.waitFor({ timeout: 15_000 }).catch(async () => {
    const shown = await page.locator(".status").textContent({ timeout: 1000 });
    process.stderr.write(
      `${address} is not live after 15 s (${shown}), and loaded again; it waits for: ${waiting()}\n`,
    );
    await page.reload();
    await live.waitFor({ timeout: 30_000 });
  });
  return { page, errors, origins, close: () => context.close() };
}

/** Follows a page's requests. @returns what gives those that are under way, and the page's sockets with what they have received */
function waitingOf(page: Page): () => string {
  const requests = new Set<Request>();
  const sockets = new Map<WebSocket, number>();
  page.on("request", (request) => void requests.add(request));
  page.on("requestfinished", (request) => void requests.delete(request));
  page.on("requestfailed", (request) => void requests.delete(request));
  page.on("websocket", (socket) => {
    sockets.set(socket, 0);
    socket.on("framereceived", () => void sockets.set(socket, (sockets.get(socket) ?? 0) + 1));
  });
  return () =>
    [
      ...Array.from(requests, (request) => `${request.method()} ${request.url()}`),
      ...Array.from(
        sockets,
        ([socket, frames]) => `${socket.url()} with ${frames} messages, closed ${socket.isClosed()}`,
      ),
    ].join(", ");
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
