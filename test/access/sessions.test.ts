import { afterAll, beforeAll, expect, test } from "bun:test";
import { mappingFile } from "../../src/access/file/mapping-file.ts";
import { MappedCallers } from "../../src/access/mapped-callers.ts";
import type { SessionStore } from "../../src/access/session-store.ts";
import { Sessions } from "../../src/access/sessions.ts";
import { SqlSessionStore } from "../../src/access/sql/sql-session-store.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { TestMapping } from "../routes/access/people-gateway.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

let opened: Awaited<ReturnType<typeof openMemoryStore>>;
let mapping: TestMapping;
beforeAll(async () => {
  opened = await openMemoryStore();
  mapping = await TestMapping.make([{ subject: "alice", scopes: ["read"] }]);
});
afterAll(async () => {
  await mapping.remove();
  await opened.close();
});

const alice = { subject: "alice", name: "alice", groups: [] };

async function sessionsWith({
  issuer = "https://id",
  isAway = (): boolean => false,
  monotonicMs = (): number => 0,
} = {}) {
  const parts = { clock: systemClock, log: unshownLog() };
  const callers = new MappedCallers({ file: mappingFile(mapping.path), ...parts });
  await callers.refresh();
  const stored = new SqlSessionStore(opened.client);
  let lookups = 0;
  const find: SessionStore["find"] = (sha256s) => {
    lookups += 1;
    return isAway() ? Promise.reject(new StoreUnavailable("the store is away")) : stored.find(sha256s);
  };
  let ends = 0;
  const end: SessionStore["end"] = (by) => {
    ends += 1;
    return stored.end(by);
  };
  const store = Object.assign(new SqlSessionStore(opened.client), { find, end });
  const options = { store, callers, issuer, lifeSeconds: 60, maxAgeMs: 60_000, monotonicMs };
  const sessions = new Sessions({ ...options, ...parts });
  const identify = async (text: string) => sessions.identify({ kind: "session", text });
  return { sessions, identify, lookups: () => lookups, ends: () => ends };
}

test("while the database is away, sessions in memory stay valid for their time, and others cannot be checked", async () => {
  let isAway = false;
  let elapsedMs = 0;
  const { sessions, identify } = await sessionsWith({ isAway: () => isAway, monotonicMs: () => elapsedMs });
  const text = await sessions.begin(alice);
  const caller = await identify(text);
  const unknown = await sessions.begin(alice);
  await sessions.refresh();
  isAway = true;
  elapsedMs = 59_000;
  await sessions.refresh();
  expect([await identify(text), caller?.hasEnded]).toEqual([caller, false]);
  expect(await identify(unknown).catch(String)).toContain("cannot be checked");
  expect(sessions.error()).toContain("the end of one is not seen: the store is away");
  elapsedMs = 61_000;
  await sessions.refresh();
  expect(caller?.hasEnded).toBe(true);
  isAway = false;
  await sessions.refresh();
  expect([(await identify(text))?.grant.id, sessions.error()]).toEqual(["oidc:alice", undefined]);
});

test("sessions of another provider are none, also by a ticket", async () => {
  const [own, another] = [await sessionsWith(), await sessionsWith({ issuer: "https://another" })];
  const text = await own.sessions.begin(alice);
  const reference = (await own.identify(text))?.reference ?? "";
  expect(await another.identify(text)).toBeUndefined();
  expect(await another.sessions.callerOf(reference)).toBeUndefined();
  expect((await own.sessions.callerOf(reference))?.grant.id).toBe("oidc:alice");
});

test("made-up sessions are looked up together, and what cannot be one is not", async () => {
  const { sessions, identify, lookups, ends } = await sessionsWith();
  const madeUp = Array.from({ length: 500 }, (_, index) => String(index).padStart(43, "0"));
  expect(new Set(await Promise.all(madeUp.map(identify)))).toEqual(new Set([undefined]));
  expect(lookups()).toBeLessThan(5);
  // anyone may sign out
  expect(new Set(await Promise.all(madeUp.map((text) => sessions.endOf(text))))).toEqual(new Set([undefined]));
  expect([lookups() < 10, ends()]).toEqual([true, 0]);
  for (const text of ["", "x", "x".repeat(44), `${"x".repeat(42)} `]) expect(await identify(text)).toBeUndefined();
  expect(lookups()).toBeLessThan(10);
});
