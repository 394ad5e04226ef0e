import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeKeyText } from "../../src/access/key-text.ts";
import type { KeyStore } from "../../src/access/key-store.ts";
import type { Scope } from "../../src/access/scope.ts";
import { SqlAuditStore } from "../../src/access/sql/sql-audit-store.ts";
import { SqlKeyStore } from "../../src/access/sql/sql-key-store.ts";
import { SqlSessionStore } from "../../src/access/sql/sql-session-store.ts";
import { SqlTicketStore } from "../../src/access/sql/sql-ticket-store.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";

const odd = "Robert'); drop table access_keys;-- \u202e \\ \"";

/** The contract of the stores of keys, sessions and tickets. */
export function exerciseKeyStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the contract of keys, sessions and tickets`, () => {
    let opened: OpenStore;
    let keys: KeyStore;
    beforeAll(async () => {
      opened = await open();
      keys = new SqlKeyStore(opened.client);
    });
    afterAll(() => opened.close());

    async function create(more: { name?: string; scopes?: readonly Scope[]; expiresAtMs?: number } = {}) {
      const { id, sha256 } = makeKeyText();
      const key = { id, sha256, name: "ci", scopes: ["read"] as readonly Scope[], expiresAtMs: undefined, ...more };
      return { key, stored: await keys.create(key) };
    }
    const validOf = async (id: string) => (await keys.valid()).find((key) => key.id === id);
    const listed = async (id: string) => (await keys.list(100)).find((key) => key.id === id);

    test("a key is valid as it was created, with a name that is SQL", async () => {
      const { key, stored } = await create({ name: odd, scopes: ["read", "operate"] });
      expect(await validOf(key.id)).toEqual(key);
      const { id, scopes } = key;
      expect(stored).toMatchObject({ id, name: odd, scopes, revokedAtMs: undefined, lastUsedAtMs: undefined });
      expect(stored).not.toHaveProperty("sha256");
      expect(Math.abs(stored.createdAtMs - Date.now())).toBeLessThan(60_000);
      expect(await listed(key.id)).toEqual(stored);
    });

    test("an expired key is not valid by the database's clock, and stays in the list", async () => {
      const { key } = await create({ expiresAtMs: Date.now() - 60_000 });
      expect(await validOf(key.id)).toBeUndefined();
      expect(await listed(key.id)).toMatchObject({ expiresAtMs: key.expiresAtMs });
    });

    test("a revoked key is not valid, and stays revoked as of the first time", async () => {
      const { key } = await create();
      const first = await keys.revoke(key.id);
      expect(first?.revokedAtMs).toBeNumber();
      expect(await keys.revoke(key.id)).toEqual(first);
      expect(await validOf(key.id)).toBeUndefined();
      expect(await keys.revoke("nosuchkey")).toBeUndefined();
    });

    test("a replaced key ends after the overlap, and its successor has its name, scopes and expiry", async () => {
      const expiresAtMs = Date.now() + 86_400_000;
      const { key } = await create({ name: "old", scopes: ["write"], expiresAtMs });
      const next = makeKeyText();
      const replaced = await keys.replace(key.id, { id: next.id, sha256: next.sha256, overlapSeconds: 600 });
      expect(replaced?.next).toMatchObject({ id: next.id, name: "old", scopes: ["write"], expiresAtMs });
      expect(Math.abs((replaced?.old.expiresAtMs ?? 0) - Date.now() - 600_000)).toBeLessThan(60_000);
      expect(await validOf(key.id)).toBeDefined();
      expect(await validOf(next.id)).toMatchObject({ sha256: next.sha256 });
      await keys.revoke(key.id);
      const third = makeKeyText();
      expect(await keys.replace(key.id, { id: third.id, sha256: third.sha256, overlapSeconds: 600 })).toBeUndefined();
      expect(await validOf(third.id)).toBeUndefined();
    });

    test("a key that expires before the overlap has passed is not kept alive by it", async () => {
      const expiresAtMs = Date.now() + 60_000;
      const { key } = await create({ expiresAtMs });
      const next = makeKeyText();
      const replaced = await keys.replace(key.id, { id: next.id, sha256: next.sha256, overlapSeconds: 86_400 });
      expect(replaced?.old.expiresAtMs).toBe(expiresAtMs);
    });

    test("the last use that is noted is the latest one", async () => {
      const { key } = await create();
      const usedAtMs = Date.UTC(2026, 0, 2, 3, 4, 5);
      await keys.used(new Map([[key.id, usedAtMs]]));
      await keys.used(new Map([[key.id, usedAtMs - 1000]]));
      expect(await listed(key.id)).toMatchObject({ lastUsedAtMs: usedAtMs });
    });

    test("a key has its selector, and so does its successor", async () => {
      const { id, sha256 } = makeKeyText();
      const selector = { clusters: ["a"], namespaces: ["b'\"", "c"] };
      const key = { id, sha256, name: "team", scopes: ["read"] as const, selector, expiresAtMs: undefined };
      expect(await keys.create(key)).toMatchObject({ selector });
      expect(await validOf(id)).toEqual(key);
      const next = makeKeyText();
      await keys.replace(id, { id: next.id, sha256: next.sha256, overlapSeconds: 60 });
      expect([await validOf(next.id), await listed(next.id)]).toMatchObject([{ selector }, { selector }]);
    });

    test.each([[{}], [{ gpus: ["a"] }], [{ clusters: [] }], [{ clusters: ["a"], racks: ["b"] }], ["a"], [[]]])(
      "a key whose selector is %j is not valid: it would see everything",
      async (selector) => {
        const { key } = await create();
        const text = JSON.stringify(selector);
        await opened.client.query("update access_keys set selector = $2::text::jsonb where id = $1", [key.id, text]);
        expect([await validOf(key.id), await listed(key.id)]).toMatchObject([undefined, { scopes: [] }]);
      },
    );

    test("a stored key with a selector has no scope that reaches beyond it", async () => {
      const { key } = await create({ scopes: ["read", "operate", "admin"] });
      await opened.client.query(`update access_keys set selector = '{"hosts":["a"]}' where id = $1`, [key.id]);
      expect(await validOf(key.id)).toMatchObject({ scopes: ["read", "operate"], selector: { hosts: ["a"] } });
    });

    test("the audit log gives its entries newest first, page by page, and deletes what is too old", async () => {
      const audit = new SqlAuditStore(opened.client);
      const entry = {
        keyId: "k",
        keyName: odd,
        address: "::1",
        action: "redrive",
        target: "a\0b",
        result: "ok",
        count: 1,
      };
      const nowMs = Date.now();
      await audit.add([1, 2, 3].map((day) => ({ ...entry, atMs: nowMs - day * 86_400_000 - 60_000, count: day })));
      const [third, second, ...others] = await audit.list(2, undefined);
      expect([third, second]).toMatchObject([
        { ...entry, target: "a\ufffdb", count: 3, atMs: nowMs - 3 * 86_400_000 - 60_000 },
        { count: 2 },
      ]);
      expect([others, (await audit.list(2, second?.id)).map(({ count }) => count)]).toEqual([[], [1]]);
      expect(await audit.deleteOld(0)).toBe(false);
      expect(await audit.list(10, undefined)).toHaveLength(3);
      await audit.deleteOld(2);
      expect((await audit.list(10, undefined)).map(({ count }) => count)).toEqual([1]);
    });

    test("refusals that a million entries follow are deleted, and changes are not", async () => {
      const audit = new SqlAuditStore(opened.client);
      const entry = { keyId: "", keyName: "", address: "", action: "flood", target: "", atMs: Date.now(), count: 1 };
      await audit.add([
        { ...entry, result: "ok" },
        { ...entry, result: "unauthenticated" },
      ]);
      await opened.client.query("select setval('audit_log_id_seq', nextval('audit_log_id_seq') + 1000001)");
      await audit.add([{ ...entry, result: "forbidden" }]);
      await audit.deleteOld(0);
      const left = (await audit.list(10, undefined)).filter(({ action }) => action === "flood");
      expect(left.map(({ result }) => result)).toEqual(["forbidden", "ok"]);
    });

    test("a session is found by its hash until it ends or expires, and a subject has the newest 20", async () => {
      const sessions = new SqlSessionStore(opened.client);
      const more = { issuer: "https://id", subject: odd, name: odd, groups: [odd, "b"] };
      const add = (sha256: string, lifeSeconds = 30, subject = odd) =>
        sessions.add({ ...more, subject, sha256, id: `id-${sha256}`, lifeSeconds });
      await add("a");
      await add("over", 0);
      const [found] = await sessions.find(["a", "over", "unknown"]);
      expect(found).toMatchObject({ ...more, sha256: "a", id: "id-a" });
      expect(Math.abs((found?.expiresAtMs ?? 0) - Date.now() - 30_000)).toBeLessThan(10_000);
      // after the one of "a" by the database's clock, whose steps may be a millisecond
      await Bun.sleep(5);
      for (let index = 0; index < 20; index += 1) await add(`n${index}`);
      await add("b", 30, "another");
      const listed = await sessions.list(100);
      const twenty = Array.from({ length: 20 }, (_, index) => `n${index}`);
      expect(new Set(listed.map(({ sha256 }) => sha256))).toEqual(new Set(["b", ...twenty]));
      const [b, n0] = ["b", "n0"].map((of) => listed.find(({ sha256 }) => sha256 === of));
      expect([await sessions.end({ id: "id-b" }), await sessions.end({ sha256: "n0" })]).toEqual([b, n0] as never);
      expect([await sessions.end({ id: "id-b" }), await sessions.end({ sha256: "over" })]).toEqual([
        undefined,
        undefined,
      ]);
      expect((await sessions.find(["b", "n0", "n1"])).map(({ id }) => id)).toEqual(["id-n1"]);
    });

    test("a ticket is taken once, and not after its life", async () => {
      const tickets = new SqlTicketStore(opened.client);
      const [a, b, d] = ["a", "b", "d"].map((digit) => digit.repeat(64)) as [string, string, string];
      await tickets.add(a, "k1", 30);
      await tickets.add(d, "k2", 30);
      const taken = await Promise.all([tickets.take([a, d, b]), tickets.take([a, d, b])]);
      expect(taken.flatMap((each) => [...each]).toSorted()).toEqual([
        [a, "k1"],
        [d, "k2"],
      ]);
      await tickets.add(b, "k1", 0);
      expect((await tickets.take([b])).size).toBe(0);
      await tickets.add("c".repeat(64), "k1", 30);
      expect(await opened.client.query("select sha256 from access_tickets")).toEqual([{ sha256: "c".repeat(64) }]);
    });
  });
}
