import { afterAll, beforeAll, expect, test } from "bun:test";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { securedParts } from "./secured-gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let admin: { readonly headers: Record<string, string> };
beforeAll(async () => {
  stored = await openFleetStore();
  const secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  admin = await secured.create("admin");
});
afterAll(() => stored.close());

type Body = {
  data: Record<string, string & string[]> & { replaces?: Record<string, string> };
  error?: { code: string; message: string };
};
async function ask(method: string, path: string): Promise<{ status: number; body: Body; headers: Headers }> {
  const answer = await gateway.get(path, { method, headers: admin.headers });
  return { status: answer.status, body: (await answer.json()) as Body, headers: answer.headers };
}
const statusWith = async (key: string | undefined): Promise<number> =>
  (await gateway.get("/api/v1/gpus", { headers: { authorization: `Bearer ${key}` } })).status;

test("a key is shown once, works at once, is listed without its secret, and does not work once it is revoked", async () => {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const created = await ask("POST", `/api/v1/keys?name=grafana&scopes=read,operate,read&expires_at=${expires}`);
  const { key, ...shown } = created.body.data;
  expect(created.status).toBe(200);
  expect(created.headers.get("cache-control")).toBe("no-store");
  expect(key).toMatch(/^gtp_[0-9a-f]{10}_[\w-]{43}$/);
  expect(shown).toMatchObject({ name: "grafana", scopes: ["read", "operate"] as never });
  expect(await statusWith(key)).toBe(200);
  const listed = await (await gateway.get("/api/v1/keys", { headers: admin.headers })).text();
  expect(listed).toContain(`"id":"${shown["id"]}"`);
  expect(listed).not.toContain(key?.slice(-43) ?? "");
  const revoked = await ask("DELETE", `/api/v1/keys/${shown["id"]}`);
  expect(revoked.body.data["revoked_at"]).toBeString();
  expect(await statusWith(key)).toBe(401);
});

test("a rotated key works beside its successor until its end", async () => {
  const { key, id } = (await ask("POST", "/api/v1/keys?name=ci&scopes=read")).body.data;
  const { body } = await ask("POST", `/api/v1/keys/${id}/rotate?overlap_seconds=60`);
  expect(body.data.replaces).toMatchObject({ id, expires_at: expect.stringMatching(/Z$/) as string });
  expect([await statusWith(key), await statusWith(body.data["key"])]).toEqual([200, 200]);
  const again = await ask("POST", `/api/v1/keys/${id}/rotate?overlap_seconds=0`);
  expect([await statusWith(key), await statusWith(again.body.data["key"])]).toEqual([401, 200]);
});

test("a key keeps its selector in the list and when it is replaced", async () => {
  const selector = { clusters: ["alpha", "beta"], namespaces: ["ml"] };
  const created = await ask("POST", "/api/v1/keys?name=team&scopes=read&clusters=beta,alpha,beta&namespaces=ml");
  expect(created.body.data).toMatchObject({ selector });
  const rotated = await ask("POST", `/api/v1/keys/${created.body.data["id"]}/rotate`);
  expect(rotated.body.data).toMatchObject({ scopes: ["read"], selector });
  const { data } = (await (await gateway.get("/api/v1/keys", admin)).json()) as { data: { name: string }[] };
  expect(data.filter(({ name }) => name === "team")).toMatchObject([{ selector }, { selector }]);
});

test.each([
  ["POST", "/api/v1/keys?scopes=read", "name", 400],
  ["POST", "/api/v1/keys?name=ad%E2%80%8Bmin&scopes=read", "characters that are not seen", 400],
  ["POST", "/api/v1/keys?name=%D0%B0dmin&scopes=read", "or that look like others", 400],
  ["POST", "/api/v1/keys?name=x", "scopes", 400],
  ["POST", "/api/v1/keys?name=x&scopes=", "scopes", 400],
  ["POST", "/api/v1/keys?name=x&scopes=root", 'no scope \\"root\\"', 400],
  ["POST", "/api/v1/keys?name=x&scopes=read&expires_at=2020-01-01T00:00:00Z", "it has passed", 400],
  ["POST", "/api/v1/keys?name=x&scopes=read,admin&clusters=a", "admin would reach beyond it", 400],
  ["POST", "/api/v1/keys?name=x&scopes=write&hosts=a", "write would reach beyond it", 400],
  ["POST", "/api/v1/keys?name=x&scopes=read&hosts=", "a name is empty, has more than 256 characters", 400],
  ["POST", "/api/v1/keys?name=x&scopes=read&namespaces=a,%20b", "begins or ends with a space", 400],
  ["POST", "/api/v1/keys?name=x&scopes=read&selector=cluster%3Da", "selector", 400],
  ["POST", "/api/v1/keys/none/rotate", "There is no valid stored key", 404],
  ["POST", "/api/v1/keys/none/rotate?overlap_seconds=2592001", "overlap_seconds", 400],
  ["DELETE", "/api/v1/keys/none", "There is no stored key", 404],
  ["DELETE", "/api/v1/keys/%27%3B%20drop%20table%20access_keys", "There is no stored key", 404],
])("%s %s is refused: %s", async (method, path, text, status) => {
  const answer = await ask(method, path);
  expect(answer.status).toBe(status);
  expect(JSON.stringify(answer.body.error)).toContain(text);
});

test("keys beyond the limit are refused with what to do, and a key that could not be replaced stays valid", async () => {
  const { key, id } = (await ask("POST", "/api/v1/keys?name=last&scopes=read")).body.data;
  await stored.client.query(`insert into access_keys (id, name, sha256, scopes)
    select 'many' || n, 'many', 'none', '["read"]' from generate_series(1, 10000) as n`);
  for (const path of ["/api/v1/keys?name=x&scopes=read", `/api/v1/keys/${id}/rotate?overlap_seconds=0`]) {
    const { status, body } = await ask("POST", path);
    expect([status, body.error?.code]).toEqual([503, "no_room"]);
    expect(body.error?.message).toContain("revoke those that are no longer used");
  }
  expect(await statusWith(key)).toBe(200);
  await stored.client.query("delete from access_keys where name = 'many'");
});

test("where no key is required, keys can be created before the gateway is opened to the network", async () => {
  const open = gatewayOver(stored);
  const created = await open.get("/api/v1/keys?name=first&scopes=admin", { method: "POST" });
  const { data } = (await created.json()) as Body;
  expect((await gateway.get("/api/v1/keys", { headers: { authorization: `Bearer ${data["key"]}` } })).status).toBe(401);
  const secured = securedParts(stored);
  await secured.directory.refresh();
  const reopened = gatewayOver(stored, secured.parts);
  const answer = await reopened.get("/api/v1/keys", { headers: { authorization: `Bearer ${data["key"]}` } });
  expect(answer.status).toBe(200);
});
