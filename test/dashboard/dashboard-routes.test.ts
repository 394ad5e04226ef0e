import { expect, test } from "bun:test";
import { dashboardRoutes } from "../../src/dashboard/dashboard-routes.ts";

const app = dashboardRoutes();
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  app.handle(new Request(`http://localhost${path}`, { headers }));
const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/** The paths of the files that the page loads. */
async function files(): Promise<string[]> {
  const html = await (await get("/", { accept: browser })).text();
  return [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path = ""]) => path);
}

test("a browser gets a page without scripts or styles of its own, which it asks for again each time", async () => {
  const answer = await get("/", { accept: browser });
  const policy = answer.headers.get("content-security-policy");
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-cache"]);
  expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:");
  const html = await answer.text();
  expect([html.includes("<style"), / on\w+=/.test(html), /<script(?! type="module" src=)/.test(html)]).toEqual([
    false,
    false,
    false,
  ]);
  expect(await files()).toEqual([
    expect.stringMatching(/-[0-9a-f]{16}\.css$/),
    expect.stringMatching(/-[0-9a-f]{16}\.js$/),
  ]);
});

test.each([undefined, "*/*", "application/json", "application/json, text/html;q=0.9", "text/csv"])(
  "a program that accepts %p gets no page",
  async (accept) => {
    const answer = await get("/", accept === undefined ? {} : { accept });
    expect([answer.status, answer.headers.get("content-security-policy")]).toEqual([404, null]);
  },
);

test("the files are kept for ever, are compressed, and are less than 100 KB together", async () => {
  let bytes = 0;
  for (const path of await files()) {
    const answer = await get(path, { "accept-encoding": "gzip" });
    expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    const body = new Uint8Array(await answer.arrayBuffer());
    bytes += body.length;
    expect(Bun.gunzipSync(body)).toEqual(new Uint8Array(await (await get(path)).arrayBuffer()));
  }
  expect(bytes).toBeLessThan(100_000);
});

test("a file of another version is answered with this version's, which no cache keeps; others do not exist", async () => {
  const other = await get("/assets/dashboard-0123456789abcdef.js");
  expect([other.status, other.headers.get("cache-control")]).toEqual([200, "no-store"]);
  for (const name of ["dashboard-0.js", "main.tsx", "..%2fpages.ts", "%ZZ"]) {
    expect([name, (await get(`/assets/${name}`)).status]).toEqual([name, 404]);
  }
});
