import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

// The table of endpoints in the README, held against the OpenAPI document of a gateway.

interface Endpoint {
  /** Undefined for a path of another kind, which is not in the OpenAPI document. */
  readonly method: string | undefined;
  readonly path: string;
}

const pathForm = /`(?:(GET|POST|PUT|PATCH|DELETE) )?(…?\/[^`?]*)(?:\?[^`]*)?`/g;

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let listed: readonly Endpoint[];
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored);
  const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
  const table = readme.slice(readme.indexOf("| endpoint"));
  const rows = table.slice(0, table.indexOf("\n\n")).split("\n").slice(2);
  listed = rows.flatMap((row) => endpointsOf(row.split("|")[1] ?? ""));
});
afterAll(() => stored.close());

/** The endpoints of a cell: `…` stands for the path before, and a path without a method has the method before. */
function endpointsOf(cell: string): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const [, method = endpoints.at(-1)?.method, text = ""] of cell.matchAll(pathForm)) {
    endpoints.push({ method, path: text.replace("…", endpoints.at(-1)?.path ?? "") });
  }
  return endpoints;
}

test("the README lists every operation of the OpenAPI document, once, and no other", async () => {
  const { paths } = (await gateway.json("/swagger/swagger.json")) as { paths: Record<string, object> };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const inReadme = listed.flatMap(({ method, path }) => (method === undefined ? [] : [`${method} ${path}`]));
  expect(inReadme.toSorted()).toEqual(documented.toSorted());
});

test("the other paths that the README lists are answered", async () => {
  const others = listed.filter(({ method }) => method === undefined).map(({ path }) => path);
  expect(others.length).toBeGreaterThan(0);
  for (const path of others) {
    const { status } = await gateway.get(path);
    expect([path, status]).not.toEqual([path, 404]);
  }
});
