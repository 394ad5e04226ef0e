import { afterAll, beforeAll, expect, test } from "bun:test";
import type { AuditTrail } from "../../../src/access/audit.ts";
import type { AuditEntry } from "../../../src/domain/audit-entry.ts";
import { SqlAuditStore } from "../../../src/access/sql/sql-audit-store.ts";
import { until } from "../../../dev/until.ts";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { securedParts } from "./secured-gateway.ts";

type Told = Omit<AuditEntry, "atMs" | "count"> & { readonly kind: "changed" | "refused" };
const told: Told[] = [];
const trail: AuditTrail = {
  changed: (entry) => void told.push({ kind: "changed", ...entry }),
  refused: (entry) => void told.push({ kind: "refused", ...entry }),
};
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let secured: ReturnType<typeof securedParts>;
let letters: string[];
beforeAll(async () => {
  stored = await openFleetStore();
  secured = securedParts(stored);
  gateway = gatewayOver(stored, {
    ...secured.parts,
    trail,
    http: { rateLimitPerSecond: 0, trustsForwardedFor: true, corsOrigins: undefined },
  });
  letters = await addTwoDeadLetters(gateway.queue);
});
afterAll(() => stored.close());

const from = { "x-forwarded-for": "1.2.3.4, 10.0.0.7" };
async function toldAfter(request: () => Promise<Response>): Promise<Told[]> {
  told.length = 0;
  await (await request()).text();
  await until(() => told.length > 0);
  return [...told];
}
const graphql = (query: string, headers: Record<string, string>): Promise<Response> =>
  gateway.get("/graphql", {
    method: "POST",
    headers: { ...headers, ...from, "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });

test("a change over REST and over GraphQL is told with its key, address, action, target and result", async () => {
  const { id, headers } = await secured.create("operate");
  const who = { kind: "changed", keyId: id, keyName: "operate", address: "10.0.0.7" };
  const path = `/api/v1/pipeline/dead-letters/${letters[0]}`;
  const remove = (): Promise<Response> => gateway.get(path, { method: "DELETE", headers: { ...headers, ...from } });
  expect(await toldAfter(remove)).toEqual([
    { ...who, action: "deleteDeadLetter", target: path, result: "ok" },
  ] as never);
  expect(await toldAfter(remove)).toMatchObject([{ action: "deleteDeadLetter", result: "404" }]);
  const redrive = `mutation { redriveDeadLetter(id: "${letters[1]}") { id } }`;
  const target = `{"id":"${letters[1]}"}`;
  expect(await toldAfter(() => graphql(redrive, headers))).toEqual([
    { ...who, action: "Mutation.redriveDeadLetter", target, result: "ok" },
  ] as never);
  expect(await toldAfter(() => graphql(redrive, headers))).toMatchObject([{ target, result: "not_found" }]);
});

test("a refusal is told, over REST, GraphQL and without a key; reading is not told", async () => {
  const { id, headers } = await secured.create("read");
  const post = (more: Record<string, string>) => () =>
    gateway.get("/api/v1/keys?name=x&scopes=admin", { method: "POST", headers: { ...more, ...from } });
  const target = "/api/v1/keys?name=x&scopes=admin";
  expect(await toldAfter(post(headers))).toEqual([
    {
      kind: "refused",
      keyId: id,
      keyName: "read",
      address: "10.0.0.7",
      action: "createKey",
      target,
      result: "forbidden",
    },
  ] as never);
  const none = { kind: "refused", keyId: "", keyName: "", address: "10.0.0.7", action: "createKey", target };
  expect(await toldAfter(post({}))).toEqual([{ ...none, result: "unauthenticated" }] as never);
  expect(await toldAfter(() => graphql('mutation { deleteDeadLetter(id: "x") { id } }', headers))).toMatchObject([
    { kind: "refused", action: "Mutation.deleteDeadLetter", target: '{"id":"x"}', result: "forbidden" },
  ]);
  told.length = 0;
  await gateway.get("/api/v1/gpus", { headers });
  await graphql("{ gpus { uuid } }", headers);
  await toldAfter(post({}));
  expect(told).toHaveLength(1);
});

test("a field that is refused twice is told twice, and each caller reads only of itself, though the queries are equal", async () => {
  const asks = async () => {
    const { id, headers } = await secured.create("operate");
    const [{ keyId } = {}] = await toldAfter(() => graphql("{ gpus { uuid } }", headers));
    expect(keyId).toBe(id);
  };
  await asks();
  await asks();
});

test("a ticket that is refused is not in the log: it may still open a socket", async () => {
  expect(await toldAfter(() => gateway.get("/ws?ticket=abc&x=1"))).toMatchObject([{ target: "/ws?ticket=...&x=1" }]);
});

test("the entry of a new key names its id, and no entry has a secret", async () => {
  const { headers } = await secured.create("admin");
  const create = (): Promise<Response> => gateway.get("/api/v1/keys?name=ci&scopes=read", { method: "POST", headers });
  let text = "";
  const entries = await toldAfter(async () => {
    const answer = await create();
    text = await answer.clone().text();
    return answer;
  });
  const { id, key } = (JSON.parse(text) as { data: { id: string; key: string } }).data;
  expect(entries).toMatchObject([{ action: "createKey", target: id, result: "ok" }]);
  expect(JSON.stringify(entries)).not.toContain(key.slice(-43));
});

test("an admin reads the log as JSON page by page, as CSV and as NDJSON", async () => {
  const { headers } = await secured.create("admin");
  const entry = {
    atMs: Date.UTC(2025, 6, 18),
    keyId: "k",
    keyName: "=1+1",
    address: "::1",
    action: "a",
    target: "t",
    result: "ok",
    count: 1,
  };
  await new SqlAuditStore(stored.client).add([entry, { ...entry, count: 2 }]);
  const get = async (path: string, accept = "application/json"): Promise<string> =>
    (await gateway.get(path, { headers: { ...headers, accept } })).text();
  const page = JSON.parse(await get("/api/v1/audit?limit=1")) as { data: object[]; next_cursor: string };
  expect(page.data).toMatchObject([{ at: "2025-07-18T00:00:00Z", key_id: "k", count: 2 }]);
  expect(JSON.parse(await get(`/api/v1/audit?cursor=${page.next_cursor}`))).toMatchObject({ data: [{ count: 1 }] });
  const [header, line] = (await get("/api/v1/audit", "text/csv")).split("\n");
  expect(header).toBe("id,at,key_id,key_name,address,action,target,result,count");
  expect(line).toContain("'=1+1");
  expect((await get("/api/v1/audit", "application/x-ndjson")).trim().split("\n")).toHaveLength(2);
});

test("a request under another host, or of a page of another origin, is told with the host or the origin", async () => {
  const host = "localhost:8080";
  const ask = (headers: Record<string, string>) => () =>
    gateway.get("/api/v1/keys?name=x", { method: "POST", headers: { host, ...headers, ...from } });
  const none = { kind: "refused", keyId: "", keyName: "", address: "10.0.0.7", action: "POST /api/v1/keys" };
  expect(await toldAfter(ask({ host: "evil.example" }))).toEqual([
    { ...none, target: "evil.example", result: "host_not_allowed" },
  ] as never);
  expect(await toldAfter(ask({ origin: "https://evil.example" }))).toEqual([
    { ...none, target: "https://evil.example", result: "cross_origin" },
  ] as never);
  expect(await toldAfter(ask({ "sec-fetch-site": "cross-site" }))).toEqual([
    { ...none, target: "", result: "cross_origin" },
  ] as never);
});

test("a mutation of a page that may only read is told", async () => {
  const http = { rateLimitPerSecond: 0, trustsForwardedFor: true, corsOrigins: ["*"] };
  const reading = gatewayOver(stored, { trail, http });
  const ask = () =>
    reading.get("/graphql", {
      method: "POST",
      headers: { ...from, host: "localhost", origin: "https://page.example", "content-type": "application/json" },
      body: JSON.stringify({ query: 'mutation { deleteDeadLetter(id: "x") { id } }' }),
    });
  expect(await toldAfter(ask)).toMatchObject([
    { address: "10.0.0.7", target: "https://page.example", result: "cross_origin" },
  ]);
});
