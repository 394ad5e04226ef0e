import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Caller } from "../../../src/access/caller.ts";
import { type Scope, scopes } from "../../../src/access/scope.ts";
import { SqlUploadStore } from "../../../src/pipeline/store/sql/sql-upload-store.ts";
import { makeSchema } from "../../../src/routes/graphql/schema.ts";
import { type AccessRule, ruleOf } from "../../../src/routes/http/access/access-rule.ts";
import { OperationContext } from "../../../src/routes/graphql-kit/operation-context.ts";
import { Requester } from "../../../src/routes/http/access/requester.ts";
import { clientMessages, messageRules } from "../../../src/routes/live/messages.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { fieldsOf, outcomeOf, requestOf, type Resolve } from "./graphql-fields.ts";
import { type Asking, everyCaller, refusalOf } from "./callers.ts";
import { securedParts } from "./secured-gateway.ts";
import { listening } from "../../support/listening.ts";

type Secured = ReturnType<typeof securedParts>;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let secured: Secured;
let callers: Asking[];
const keys = {} as Record<Scope, Awaited<ReturnType<Secured["create"]>>>;
beforeAll(async () => {
  stored = await openFleetStore();
  secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  for (const scope of scopes) keys[scope] = await secured.create(scope);
  callers = await everyCaller(secured);
  const upload = { fileName: "host-a.csv", clusterId: "alpha", hostname: "host-a", expectedBytes: undefined };
  const limits = { maxUnfinished: 1, maxUnfinishedOfClient: 1, maxStoredBytes: 1 };
  await new SqlUploadStore(stored.client).begin({ ...upload, sender: "ci", client: "ci" }, limits);
  await gateway.get("/health/live");
});
afterAll(() => stored.close());

const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const codeOf = async (answer: Response): Promise<unknown> =>
  ((await answer.json()) as { error?: { code: unknown } }).error?.code;

interface Route {
  readonly path: string;
}
const pathOf = ({ path }: Route): string => path.replaceAll(/:\w+/g, "none");
/** The path of something that exists, where the route has a path of something. */
const realPathOf = ({ path }: Route): string =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => existing[name] ?? "none");
const existing: Readonly<Record<string, string>> = {
  ...{ uuid: "GPU-host-a-0", cluster_id: "alpha", host_id: "host-a", hostname: "host-a", gpu_id: "0" },
  ...{ figure: "backlog", file: "swagger.json" },
};

test("every route declares what it asks of its callers", () => {
  const without = gateway.app.routes.filter((route) => ruleOf(route) === undefined);
  expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(gateway.app.routes.length).toBeGreaterThan(40);
});

/** Texts of the test's fleet, which no refused answer may have. */
const ofFleet = /host-[ab]|GPU.?.?host|GPU\/x|job-1|alpha|beta/i;

test("every route answers every caller as its rule says, and an answer that refuses has nothing of the fleet", async () => {
  const headOf = gateway.app.routes
    .filter(({ method }) => method === "GET")
    .map((each) => ({ ...each, method: "HEAD" }));
  let refused = 0;
  for (const route of [...gateway.app.routes, ...headOf]) {
    const rule = ruleOf(route);
    for (const caller of callers) {
      const place = `${route.method} ${route.path} of ${caller.name}`;
      const isBound = caller.grant?.selector !== undefined;
      const path = isBound ? pathOf(route) : realPathOf(route);
      const answer = await gateway.get(path, { method: route.method, headers: caller.headers });
      const expected = rule && refusalOf(rule, caller);
      const status = [401, 403].includes(answer.status) ? answer.status : undefined;
      expect([place, status]).toEqual([place, expected]);
      const text = JSON.stringify([...answer.headers]) + (await answer.text());
      if (expected !== undefined || isBound) expect([place, ofFleet.exec(text)?.[0]]).toEqual([place, undefined]);
      if (expected === undefined) continue;
      refused += 1;
      if (expected === 401) expect(answer.headers.get("www-authenticate")).toMatch(/^Basic .*, Bearer realm/);
      if (route.method === "HEAD") continue;
      const code = expected === 401 ? "unauthenticated" : "forbidden";
      expect([place, text.includes(`{"success":false,"error":{"code":"${code}"`)]).toEqual([place, true]);
    }
  }
  expect(refused).toBeGreaterThan(500);
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

  test("every field with a resolver of its own answers every caller as its rule says", () => {
    const trail = { changed: () => undefined, refused: () => undefined };
    const checked = new Set<string>();
    for (const { place, type, field } of fieldsOf(makeSchema())) {
      const rule = field.extensions as unknown as AccessRule;
      expect([place, rule.scope]).toEqual([place, type.name === "Mutation" ? "operate" : "read"]);
      const resolve = (type.name === "Subscription" ? field.subscribe : field.resolve) as Resolve;
      for (const { name, grant } of callers) {
        const known = { id: "", name, scopes: [], expiresAtMs: undefined, ...grant };
        // without the parts of a gateway, a field that is not refused fails in another way
        const operation = new OperationContext({} as never, {} as never, new Requester(new Caller(known), "", trail));
        const outcome = outcomeOf(() => resolve({}, {}, { operation }, { parentType: type, fieldName: field.name }));
        const isRefused = refusalOf(rule, { grant: known }) !== undefined;
        expect([place, name, outcome === "forbidden"]).toEqual([place, name, isRefused]);
      }
      checked.add(place);
    }
    expect(checked.size).toBeGreaterThan(40);
  });

  test("every query and mutation answers every caller as its rule says, and a refusal has nothing of the fleet", async () => {
    for (const { place, type, field } of fieldsOf(makeSchema())) {
      if (type.name !== "Query" && type.name !== "Mutation") continue;
      const rule = field.extensions as unknown as AccessRule;
      for (const caller of callers) {
        const answer = await ask(`${type.name.toLowerCase()} { ${requestOf(field)} }`, caller);
        const [error] = (answer["errors"] ?? [answer["error"]]) as (
          { code?: string; extensions?: { code: string } } | undefined
        )[];
        const code = error?.extensions?.code ?? error?.code;
        const expected = { 401: "unauthenticated", 403: "FORBIDDEN", none: undefined }[
          refusalOf(rule, caller) ?? "none"
        ];
        const shown = code === "FORBIDDEN" || code === "unauthenticated" ? code : undefined;
        expect([place, caller.name, shown]).toEqual([place, caller.name, expected]);
        if (expected !== undefined || caller.grant?.selector !== undefined) {
          expect([place, caller.name, ofFleet.exec(JSON.stringify(answer))?.[0]]).toEqual([
            place,
            caller.name,
            undefined,
          ]);
        }
      }
    }
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

test("every message over /ws answers every caller as its rule says", async () => {
  expect(Object.keys(messageRules)).toEqual(Object.keys(clientMessages));
  const port = await listening(gateway);
  for (const caller of callers) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: caller.headers });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    });
    expect([caller.name, isOpen]).toEqual([caller.name, caller.grant !== undefined]);
    for (const [type, rule] of isOpen ? Object.entries(messageRules) : []) {
      const answers: string[] = [];
      const ponged = new Promise<void>((resolve) => {
        socket.onmessage = ({ data }) => (
          answers.push(data as string),
          (data as string).includes('"end"') && resolve()
        );
      });
      for (const message of [{ type }, { type: "ping", id: "end" }]) socket.send(JSON.stringify(message));
      await ponged;
      const isRefused = answers.join().includes('"code":"forbidden"');
      expect([type, caller.name, isRefused]).toEqual([type, caller.name, refusalOf(rule, caller) !== undefined]);
      if (isRefused || caller.grant?.selector !== undefined) expect(answers.join()).not.toMatch(ofFleet);
    }
    socket.close();
  }
  await gateway.app.stop(true);
});
