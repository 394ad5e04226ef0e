import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyAdministration } from "../../src/access/key-administration.ts";
import { KeysFile } from "../../src/access/file/keys-file.ts";
import { KeyDirectory, type KeyDirectoryOptions } from "../../src/access/key-directory.ts";
import { hashOf, keyIdOf, makeKeyText } from "../../src/access/key-text.ts";
import type { KeyStore } from "../../src/access/key-store.ts";
import { SqlKeyStore } from "../../src/access/sql/sql-key-store.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { until } from "../../dev/until.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const log = unshownLog();
let opened: OpenStore;
let store: KeyStore;
let folder: string;
beforeAll(async () => {
  opened = await openMemoryStore();
  store = new SqlKeyStore(opened.client);
  folder = await mkdtemp(join(tmpdir(), "telemetry-directory-"));
});
afterAll(async () => {
  await opened.close();
  await rm(folder, { recursive: true });
});

function directoryWith(options: Partial<KeyDirectoryOptions> = {}): KeyDirectory {
  return new KeyDirectory({
    bootstrapKey: undefined,
    file: undefined,
    store,
    maxAgeMs: 60_000,
    needsKeys: false,
    monotonicMs: () => performance.now(),
    clock: systemClock,
    log,
    ...options,
  });
}
const request = { name: "ci", scopes: ["read"], expiresAtMs: undefined } as const;

test("only the whole text of a key is the key, and every other text is unknown, whatever it resembles", async () => {
  const directory = directoryWith();
  const keys = new KeyAdministration(store, () => directory.refresh());
  const { text, key } = await keys.create(request);
  expect(directory.authenticate(text)?.grant).toMatchObject({ id: key.id, name: "ci", scopes: ["read"] });
  const { text: another } = await keys.create(request);
  const swapped = `gtp_${key.id}_${another.slice(-43)}`;
  const lastChanged = text.slice(0, -1) + (text.endsWith("A") ? "B" : "A");
  const odd = [
    swapped,
    lastChanged,
    text.toUpperCase(),
    `${text} `,
    `${text}\n`,
    text.slice(0, -1),
    `${text}A`,
    "",
    "gtp__",
  ];
  const shapes = [
    `gtp_${key.id}_${"x".repeat(100_000)}`,
    `gtp_constructor_${"s".repeat(43)}`,
    `gtp___proto___${"s".repeat(43)}`,
  ];
  for (const wrong of [...odd, ...shapes, makeKeyText().text]) expect(directory.authenticate(wrong)).toBeUndefined();
});

test("a key that is revoked ends at the next reading of every process, also in the middle of what it does", async () => {
  const [one, another] = [directoryWith(), directoryWith()];
  const keys = new KeyAdministration(store, () => one.refresh());
  const { text, key } = await keys.create(request);
  await another.refresh();
  const callers = [one.authenticate(text), another.authenticate(text)];
  let ended = 0;
  for (const caller of callers) caller?.onEnd(() => (ended += 1));
  await keys.revoke(key.id);
  expect([ended, one.authenticate(text), callers[0]?.hasEnded]).toEqual([1, undefined, true]);
  await another.refresh();
  expect([ended, another.authenticate(text), another.callerOf(key.id)]).toEqual([2, undefined, undefined]);
});

test("a running process sees a new key and a revoked one by itself, also after the database was away", async () => {
  let isAway = false;
  const real = new SqlKeyStore(opened.client);
  const valid = (): ReturnType<KeyStore["valid"]> =>
    isAway ? Promise.reject(new StoreUnavailable("away")) : real.valid();
  const flaky: KeyStore = Object.assign(new SqlKeyStore(opened.client), { valid });
  const readEveryMs = 2000;
  let pauses = 0;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    // the other sleep is the limit of a reading, which together with this pause is less than 5 s
    if (ms === readEveryMs) pauses += 1;
    return systemClock.sleep(ms === readEveryMs ? 5 : ms, signal);
  };
  const directory = directoryWith({ store: flaky, clock: { ...systemClock, sleep } });
  await directory.start();
  const keys = new KeyAdministration(store, () => Promise.resolve());
  const { text, key } = await keys.create(request);
  await until(() => directory.authenticate(text) !== undefined);
  const caller = directory.authenticate(text);
  isAway = true;
  await until(() => directory.error() !== undefined);
  await keys.revoke(key.id);
  expect(directory.authenticate(text)).toBe(caller as never);
  isAway = false;
  await until(() => caller?.hasEnded === true);
  expect([directory.authenticate(text), directory.error()]).toEqual([undefined, undefined]);
  expect(pauses).toBeGreaterThan(0);
  await directory.stop(AbortSignal.timeout(5000));
});

test("a key that expires ends by the process's own clock, while the database is away and when the clock was set back", async () => {
  let nowMs = Date.now();
  const clock = { ...systemClock, nowMs: () => nowMs };
  const directory = directoryWith({ clock });
  const keys = new KeyAdministration(store, () => directory.refresh());
  const { text } = await keys.create({ ...request, expiresAtMs: nowMs + 5000 });
  expect(directory.authenticate(text)).toBeDefined();
  nowMs -= 3_600_000;
  expect(directory.authenticate(text)).toBeDefined();
  nowMs += 3_605_000;
  expect(directory.authenticate(text)).toBeUndefined();
});

test("a rotated key is valid until its new end, and what it does goes on until then", async () => {
  let nowMs = Date.now();
  const directory = directoryWith({ clock: { ...systemClock, nowMs: () => nowMs } });
  const keys = new KeyAdministration(store, () => directory.refresh());
  const { text, key } = await keys.create(request);
  const caller = directory.authenticate(text);
  const rotated = await keys.rotate(key.id, 600);
  expect(rotated?.old.id).toBe(key.id);
  expect(directory.authenticate(rotated?.text ?? "")?.grant).toMatchObject({ name: "ci", scopes: ["read"] });
  expect([directory.authenticate(text), caller?.hasEnded]).toEqual([caller, false]);
  nowMs += 601_000;
  expect(directory.authenticate(text)).toBeUndefined();
  await directory.refresh();
  expect(caller?.hasEnded).toBe(true);
});

test("while the database is away, stored keys stay valid for their time; then they cannot be checked, and have ended", async () => {
  let isAway = false;
  let elapsedMs = 0;
  const valid = (): ReturnType<KeyStore["valid"]> =>
    isAway ? Promise.reject(new StoreUnavailable("the store is away")) : store.valid();
  const away: KeyStore = Object.assign(new SqlKeyStore(opened.client), { valid });
  const bootstrap = makeKeyText().text;
  const directory = directoryWith({ store: away, monotonicMs: () => elapsedMs, bootstrapKey: bootstrap });
  const keys = new KeyAdministration(away, () => directory.refresh());
  const { text } = await keys.create(request);
  const caller = directory.authenticate(text);
  isAway = true;
  elapsedMs = 59_000;
  await directory.refresh();
  expect(directory.authenticate(text)).toBe(caller as never);
  expect(directory.error()).toContain("revoked keys are not seen: the store is away");
  elapsedMs = 61_000;
  await directory.refresh();
  expect(() => directory.authenticate(text)).toThrow("cannot be checked");
  expect([caller?.hasEnded, directory.authenticate(bootstrap)?.grant.scopes.length]).toEqual([true, 4]);
  isAway = false;
  await directory.refresh();
  expect([directory.authenticate(text)?.hasEnded, directory.error()]).toEqual([false, undefined]);
});

test("keys of a file are valid while the file has them; a stored key cannot take the id of one", async () => {
  const path = join(folder, "keys.json");
  const { id, text } = makeKeyText();
  const entry = (of: string) => ({ id, name: "file", sha256: hashOf(of).toString("hex"), scopes: ["operate"] });
  await Bun.write(path, JSON.stringify([entry(text)]));
  const directory = directoryWith({ file: new KeysFile(path) });
  const stored = `gtp_${id}_${"s".repeat(43)}`;
  await store.create({ ...entry(stored), scopes: ["admin"], expiresAtMs: undefined });
  await directory.refresh();
  expect(directory.authenticate(text)?.grant).toMatchObject({ id: keyIdOf(text), scopes: ["operate"] });
  expect(directory.authenticate(stored)).toBeUndefined();
  const caller = directory.authenticate(text);
  await Bun.write(path, JSON.stringify([{ ...entry(text), scopes: ["read"] }]));
  await directory.refresh();
  expect([caller?.hasEnded, directory.authenticate(text)?.grant.scopes]).toEqual([true, ["read"]]);
  for (const selector of [{ hosts: ["a"] }, { hosts: ["a", "b"] }, { hosts: ["b", "a"] }]) {
    const before = directory.authenticate(text);
    await Bun.write(path, JSON.stringify([{ ...entry(text), scopes: ["read"], selector }]));
    await directory.refresh();
    // the order of names is no change
    expect(before?.hasEnded).toBe(selector.hosts[0] === "a");
    expect(directory.authenticate(text)?.grant.selector).toEqual({ hosts: selector.hosts.toSorted() });
  }
  await Bun.write(path, "[1]");
  await directory.refresh();
  expect([directory.authenticate(text), directory.error()]).toEqual([
    undefined,
    "keys: entry 1: it is not a JSON object",
  ]);
  await store.revoke(id);
});

test("when a key was used is written once a minute, for the keys that were used", async () => {
  let elapsedMs = 0;
  const uses: ReadonlyMap<string, number>[] = [];
  const used = (of: ReadonlyMap<string, number>): Promise<void> => (uses.push(of), store.used(of));
  const noting: KeyStore = Object.assign(new SqlKeyStore(opened.client), { used });
  const directory = directoryWith({ store: noting, monotonicMs: () => elapsedMs });
  const keys = new KeyAdministration(noting, () => Promise.resolve());
  const [{ text, key }] = [await keys.create(request), await keys.create(request)];
  await directory.refresh();
  directory.authenticate(text);
  await directory.refresh();
  expect(uses).toEqual([]);
  elapsedMs = 60_000;
  await directory.refresh();
  await directory.refresh();
  expect(uses.map((each) => [...each.keys()])).toEqual([[key.id]]);
  expect((await store.list(100)).find(({ id }) => id === key.id)?.lastUsedAtMs).toBeNumber();
  elapsedMs = 120_000;
  await directory.refresh();
  expect(uses).toHaveLength(1);
});

test("a gateway without any key does not start; one that has keys, or cannot read them yet, does", async () => {
  const empty = await openMemoryStore();
  const none = directoryWith({ store: new SqlKeyStore(empty.client), needsKeys: true });
  await expect(none.start()).rejects.toThrow("auth_missing");
  await none.stop(AbortSignal.abort());
  const valid = (): ReturnType<KeyStore["valid"]> => Promise.reject(new StoreUnavailable("away"));
  const away: KeyStore = Object.assign(new SqlKeyStore(empty.client), { valid });
  for (const more of [{ bootstrapKey: makeKeyText().text, store: undefined }, { store: away }]) {
    const directory = directoryWith({ needsKeys: true, ...more });
    await directory.start();
    await directory.stop(AbortSignal.abort());
  }
  await empty.close();
});
