import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../../dev/servers/chromium.ts";
import { until } from "../../../dev/until.ts";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { listening } from "../../support/listening.ts";

// A real browser: what it sends and refuses is not what a request made by hand assumes. Every host name leads to 127.0.0.1 in it.

let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let evil: Bun.Server<undefined>;
/** Where the gateway is, as its users write it. */
let url: string;
let letter: string;

beforeAll(async () => {
  [chromium, stored] = await Promise.all([openChromium(), openFleetStore()]);
  gateway = gatewayOver(stored);
  url = `http://localhost:${await listening(gateway)}`;
  [letter = ""] = await addTwoDeadLetters(gateway.queue);
  const html = { headers: { "content-type": "text/html" } };
  evil = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<title>evil</title>", html) });
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await evil.stop(true);
  await gateway.app.stop(true);
  await stored.close();
});

/** The number of requests that the gateway has refused with 403: the browser hides such an answer from a page, and from this test. */
async function refusals(): Promise<number> {
  const text = await (await gateway.get("/metrics")).text();
  const counts = text.matchAll(/^telemetry_http_request_duration_seconds_count\{.*status="403".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Opens a page, and collects the addresses of what the browser loads for it, and what its policy forbids. */
async function opened(address: string) {
  const page = await (await chromium.browser.newContext()).newPage();
  const loaded: string[] = [];
  const forbidden: string[] = [];
  page.on("response", (response) => void loaded.push(`${response.status()} ${response.url()}`));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) forbidden.push(message.text());
  });
  await page.goto(address);
  return { page, loaded, forbidden };
}

/** Runs JavaScript in a page. @returns its result, or `refused` if it fails */
const inPage = (page: Page, script: string): Promise<unknown> =>
  page.evaluate(`(async () => { ${script} })().catch(() => "refused")`);

const socketScript = (address: string, protocol: string): string =>
  `return new Promise((resolve) => {
    const socket = new WebSocket(${JSON.stringify(address)}, ${JSON.stringify(protocol === "" ? [] : [protocol])});
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  })`;

for (const host of ["evil.example", "localhost"]) {
  describe(`a page of http://${host}, with another port than the gateway`, () => {
    let attack: Awaited<ReturnType<typeof opened>>;
    beforeAll(async () => void (attack = await opened(`http://${host}:${evil.port}/`)));
    afterAll(() => attack.page.context().close());
    const redrive = (): string => `/api/v1/pipeline/dead-letters/${letter}/redrive`;

    test("cannot read by fetch, whether or not it asks for the answer", async () => {
      const before = await refusals();
      expect(await inPage(attack.page, `return (await fetch("${url}/api/v1/gpus")).status`)).toBe("refused");
      await inPage(attack.page, `await fetch("${url}/api/v1/telemetry", { mode: "no-cors" })`);
      await until(async () => (await refusals()) === before + 2);
    });

    test("cannot change anything by fetch without a preflight", async () => {
      const before = await refusals();
      await inPage(attack.page, `await fetch("${url}${redrive()}", { method: "POST", mode: "no-cors" })`);
      await until(async () => (await refusals()) === before + 1);
      expect(await inPage(attack.page, `await fetch("${url}${redrive()}", { method: "DELETE" })`)).toBe("refused");
      expect((await gateway.get(redrive().replace("/redrive", ""))).status).toBe(200);
    });

    test("cannot make the browser run a query by an image, a script or a frame", async () => {
      const before = await refusals();
      for (const tag of ["img", "script", "iframe"]) {
        const script = `const made = document.createElement("${tag}");
          made.src = "${url}/api/v1/coverage?limit=${tag.length}"; document.body.append(made)`;
        await inPage(attack.page, script);
      }
      await until(async () => (await refusals()) === before + 3);
    });

    test("cannot open a socket or receive events", async () => {
      const socket = (path: string, protocol: string): Promise<unknown> =>
        inPage(attack.page, socketScript(`${url.replace("http", "ws")}${path}`, protocol));
      expect(await socket("/ws", "")).toBe("refused");
      expect(await socket("/graphql", "graphql-transport-ws")).toBe("refused");
      const query = encodeURIComponent("subscription { telemetry { uuid } }");
      const events = `return new Promise((resolve) => {
        const source = new EventSource("${url}/graphql?query=${query}");
        source.onopen = () => resolve("open");
        source.onerror = () => resolve("refused");
      })`;
      expect(await inPage(attack.page, events)).toBe("refused");
    });

    test("cannot redeliver a dead letter by a form that the browser sends", async () => {
      const before = await refusals();
      const form = `const form = document.createElement("form"); form.method = "post";
        form.action = "${url}${redrive()}"; document.body.append(form); form.submit()`;
      await inPage(attack.page, form);
      await until(async () => (await refusals()) === before + 1);
      expect((await gateway.get(redrive().replace("/redrive", ""))).status).toBe(200);
    });

    test("may link to the documentation", async () => {
      const { page, loaded } = await opened(`http://${host}:${evil.port}/`);
      await inPage(page, `location.href = "${url}/docs"`);
      await until(() => loaded.some((text) => text.endsWith("/swagger/swagger.json")));
      expect(loaded.slice(1, 3)).toEqual([`302 ${url}/docs`, `200 ${url}/swagger/`]);
      await page.context().close();
    });
  });
}

test("a page whose name was made to lead to the gateway (DNS rebinding) gets nothing under this name", async () => {
  const rebound = url.replace("localhost", "evil.example");
  const page = await (await chromium.browser.newContext()).newPage();
  expect((await page.goto(`${rebound}/swagger/`))?.status()).toBe(421);
  // the page itself, which came from the attacker's server before its name changed
  await page.route(`${rebound}/`, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(`${rebound}/`);
  expect(await inPage(page, `return (await fetch("/api/v1/gpus")).status`)).toBe(421);
  const change = `return (await fetch("/api/v1/pipeline/dead-letters/${letter}", { method: "DELETE" })).status`;
  expect(await inPage(page, change)).toBe(421);
  expect(await inPage(page, socketScript(`${rebound.replace("http", "ws")}/ws`, ""))).toBe("refused");
  await page.context().close();
});

test("Swagger UI shows the document and tries an operation out, and its policy forbids nothing that it needs", async () => {
  const { page, forbidden } = await opened(`${url}/swagger/`);
  await page.locator("#operations-gpus-listGpus .opblock-summary-control").click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute" }).click();
  const status = page.locator(".live-responses-table tbody .response-col_status").first();
  expect((await status.textContent())?.trim()).toStartWith("200");
  expect(await inPage(page, socketScript(`${url.replace("http", "ws")}/ws`, ""))).toBe("open");
  expect(forbidden).toEqual([]);
  await page.context().close();
});

test("GraphiQL runs a query, and its policy forbids nothing that it needs", async () => {
  const query = "{ gpus { uuid } }";
  const { page, forbidden } = await opened(`${url}/graphql?query=${encodeURIComponent(query)}`);
  await page.getByRole("button", { name: "Execute query" }).click();
  await until(
    async () =>
      (await page.locator(".graphiql-response, .result-window").first().textContent())?.includes("GPU-host-a-0") ===
      true,
  );
  expect(forbidden).toEqual([]);
  await page.context().close();
});
