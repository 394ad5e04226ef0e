import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { isObjectType } from "graphql";
import { type Scope, scopes } from "../../../src/access/scope.ts";
import { makeSchema } from "../../../src/routes/graphql/schema.ts";
import { ruleOf } from "../../../src/routes/http/access/access-rule.ts";
import { requesterOf } from "../../../src/routes/http/access/requester.ts";
import { clientMessages, messageRules } from "../../../src/routes/live/messages.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { securedParts } from "./secured-gateway.ts";

type Secured = ReturnType<typeof securedParts>;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let secured: Secured;
const keys = {} as Record<Scope, Awaited<ReturnType<Secured["create"]>>>;
beforeAll(async () => {
  stored = await openFleetStore();
  secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  for (const scope of scopes) keys[scope] = await secured.create(scope);
  await gateway.get("/health/live");
});
afterAll(() => stored.close());

const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const codeOf = async (answer: Response): Promise<unknown> =>
  ((await answer.json()) as { error?: { code: unknown } }).error?.code;

interface Route {
  readonly method: string;
  readonly path: string;
}
const routes = (): Route[] => [...gateway.app.routes, { method: "HEAD", path: "/api/v1/gpus" }];
const pathOf = ({ path }: Route): string => path.replaceAll(/:\w+/g, "none");

test("every route declares what it asks of its callers", () => {
  const without = gateway.app.routes.filter((route) => ruleOf(route) === undefined);
  expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(gateway.app.routes.length).toBeGreaterThan(40);
});

test("every route without a key answers 401 with a challenge, except those for probes", async () => {
  const answered: string[] = [];
  for (const route of routes()) {
    const answer = await gateway.get(pathOf(route), { method: route.method });
    if (answer.status !== 401) answered.push(`${route.method} ${route.path}`);
    else expect(answer.headers.get("www-authenticate")).toMatch(/^Basic .*, Bearer realm/);
  }
  expect(answered).toEqual(["GET /health/live", "GET /health/ready"]);
});

test("every route answers a key with its scope, and 403 with the name of the scope to every other key", async () => {
  for (const route of routes()) {
    const rule = ruleOf(gateway.app.routes.find(({ path }) => path === route.path) ?? route);
    const own = gateway.app.routes.find(({ method, path }) => path === route.path && method === route.method);
    const { scope } = (own && ruleOf(own)) ?? rule ?? { scope: "any" };
    for (const [held, key] of Object.entries(keys)) {
      // the key of the test itself must stay
      const answer = await gateway.get(pathOf(route), { method: route.method, headers: key.headers });
      const isAllowed = scope === "open" || scope === "any" || scope === held;
      const place = `${route.method} ${route.path} with ${held}`;
      expect([place, [401, 403].includes(answer.status)]).toEqual([place, !isAllowed]);
      if (isAllowed || route.method === "HEAD") continue;
      expect(await answer.json()).toMatchObject({ error: { code: "forbidden", details: { needed: scope } } });
    }
  }
});

test("an unknown, a wrong, a revoked and an expired key get the same answer, byte by byte", async () => {
  const { id, text } = await secured.create("read");
  await secured.parts.administration.keys.revoke(id);
  const expired = await secured.parts.administration.keys.create({
    name: "x",
    scopes: ["read"],
    expiresAtMs: Date.now() - 1,
  });
  const wrong = `gtp_${keys.read.id}_${"s".repeat(43)}`;
  const unknown = `gtp_0000000000_${"s".repeat(43)}`;
  const texts = [text, expired.text, wrong, unknown, "no-key", "x".repeat(10_000), `gtp_${id}_' or 1=1`];
  const answers = await Promise.all(texts.map((key) => gateway.get("/api/v1/gpus", bearer(key))));
  const shown = answers.map(async (answer) => [answer.status, [...answer.headers], await answer.text()]);
  expect(new Set((await Promise.all(shown)).map((each) => JSON.stringify(each))).size).toBe(1);
  expect(answers[0]?.status).toBe(401);
});

describe("the Authorization header", () => {
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
  test.each([
    ["the scheme in any case", () => `bEARER ${keys.read.text}`, 200],
    ["several spaces", () => `Bearer   ${keys.read.text} `, 200],
    ["a password", () => basic(`prometheus:${keys.read.text}`), 200],
    ["a password without a user", () => basic(`:${keys.read.text}`), 200],
    ["a key as the user", () => basic(`${keys.read.text}:`), 401],
    ["no colon", () => basic(keys.read.text), 401],
    ["two keys", () => `Bearer ${keys.read.text}, Bearer ${keys.admin.text}`, 401],
    ["another scheme", () => `Digest ${keys.read.text}`, 401],
    ["a key alone", () => keys.read.text, 401],
    ["a tab", () => `Bearer\t${keys.read.text}`, 401],
    ["nothing", () => "", 401],
    ["base64 that is none", () => "Basic ====", 401],
  ])("with %s", async (_, header, status) => {
    const answer = await gateway.get("/api/v1/gpus", { headers: { authorization: header() } });
    expect(answer.status).toBe(status);
    if (status === 401) expect(await codeOf(answer)).toBe("unauthenticated");
  });

  test("given twice is refused, whichever of the two is valid", async () => {
    for (const pair of [
      [keys.read.text, "no"],
      ["no", keys.read.text],
    ]) {
      const headers = new Headers();
      for (const key of pair) headers.append("authorization", `Bearer ${key}`);
      expect((await gateway.get("/api/v1/gpus", { headers })).status).toBe(401);
    }
  });

  test("is needed: a key in the URL is none", async () => {
    for (const name of ["key", "token", "access_token", "ticket", "apikey"]) {
      expect((await gateway.get(`/api/v1/gpus?${name}=${keys.read.text}`)).status).toBe(401);
    }
  });
});

test("a page that the operator has opened answers without a key; the others do not", async () => {
  const pages = { health: "/health", metrics: "/metrics", docs: "/swagger/swagger.json" } as const;
  for (const open of Object.keys(pages) as (keyof typeof pages)[]) {
    const opened = gatewayOver(stored, securedParts(stored, [open]).parts);
    for (const [page, path] of Object.entries(pages)) {
      expect([open, page, (await opened.get(path)).status]).toEqual([open, page, page === open ? 200 : 401]);
    }
  }
});

describe("GraphQL", () => {
  const ask = async (
    query: string,
    key: { readonly headers: Record<string, string> },
  ): Promise<Record<string, unknown>> => {
    const headers = { ...key.headers, "content-type": "application/json" };
    const answer = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
    return (await answer.json()) as Record<string, unknown>;
  };

  test("every field with a resolver of its own has a scope, and refuses a caller without it", () => {
    const operation = { requester: requesterOf(new Request("http://localhost/")) };
    const checked: string[] = [];
    for (const type of Object.values(makeSchema().getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith("__")) continue;
      const isRoot = ["Query", "Mutation", "Subscription"].includes(type.name);
      for (const field of Object.values(type.getFields())) {
        const { scope } = field.extensions as { scope?: Scope };
        const place = `${type.name}.${field.name}`;
        if (!isRoot && scope === undefined) continue;
        const expected = type.name === "Mutation" ? "operate" : "read";
        expect([place, scope]).toEqual([place, expected]);
        const resolve = (type.name === "Subscription" ? field.subscribe : field.resolve) as (
          ...of: unknown[]
        ) => unknown;
        expect(() => resolve({}, {}, { operation }, { parentType: type, fieldName: field.name })).toThrow(
          `needs ${expected}`,
        );
        checked.push(place);
      }
    }
    expect(checked.length).toBeGreaterThan(30);
  });

  test("a field that the key may not read is refused with FORBIDDEN, also after another key has read it", async () => {
    const fleet = "{ gpus { uuid } }";
    expect(await ask(fleet, keys.read)).toMatchObject({ data: { gpus: expect.anything() as unknown } });
    const refused = { errors: [{ path: ["gpus"], extensions: { code: "FORBIDDEN", details: { needed: "read" } } }] };
    for (const scope of ["write", "operate", "admin"] as const)
      expect(await ask(fleet, keys[scope])).toMatchObject(refused);
    expect(await ask(fleet, keys.read)).toMatchObject({ data: { gpus: expect.anything() as unknown } });
    const change = 'mutation { deleteDeadLetter(id: "none") { id } }';
    expect(await ask(change, keys.read)).toMatchObject({ errors: [{ extensions: { code: "FORBIDDEN" } }] });
    expect(await ask(change, keys.operate)).toMatchObject({ errors: [{ extensions: { code: "NOT_FOUND" } }] });
  });

  test("HEAD and GET are checked like POST", async () => {
    const path = `/graphql?query=${encodeURIComponent("{ gpus { uuid } }")}`;
    for (const method of ["GET", "HEAD"]) {
      expect((await gateway.get(path, { method })).status).toBe(401);
      expect((await gateway.get(path, { method, headers: keys.read.headers })).status).toBe(200);
    }
    expect(await (await gateway.get(path, { headers: keys.write.headers })).json()).toMatchObject({
      errors: [{ extensions: { code: "FORBIDDEN" } }],
    });
  });
});

test("every message that a client may send over /ws has a scope", () => {
  expect(Object.keys(messageRules)).toEqual(Object.keys(clientMessages));
});
