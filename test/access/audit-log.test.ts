import { expect, test } from "bun:test";
import pino from "pino";
import type { AuditStore } from "../../src/access/audit.ts";
import type { AuditEntry } from "../../src/domain/audit-entry.ts";
import { AuditLog } from "../../src/access/audit-log.ts";
import { StoreRejected, StoreUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { until } from "../../dev/until.ts";
import { logSerializers } from "../../src/terminal/log.ts";

const change = { keyId: "k", keyName: "ci", address: "10.0.0.7", action: "redrive", target: "a", result: "ok" };
const refusal = { ...change, action: "listGpus", result: "forbidden" };

/** An audit log whose pauses end at once, and what it has stored and logged. */
function openLog(add?: (entries: readonly AuditEntry[]) => Promise<void>) {
  const stored: AuditEntry[] = [];
  const logged: AuditEntry[] = [];
  const store: AuditStore = {
    add: add ?? ((entries) => Promise.resolve(void stored.push(...entries))),
    list: () => Promise.resolve([]),
    deleteOld: () => Promise.resolve(false),
  };
  const log = pino(
    { serializers: logSerializers },
    {
      write: (line: string) => {
        const { audit } = JSON.parse(line) as { audit?: AuditEntry };
        if (audit !== undefined) logged.push(audit);
      },
    },
  );
  let elapsedMs = 0;
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 5), signal),
  };
  const audit = new AuditLog({ store, keepDays: 1, monotonicMs: () => elapsedMs, clock, log });
  return { audit, stored, logged, pass: (ms: number) => void (elapsedMs += ms) };
}

test("a change is logged at once and stored soon; equal refusals of a minute are one entry with their number", async () => {
  const { audit, stored, logged, pass } = openLog();
  await audit.start();
  audit.changed(change);
  expect(logged).toMatchObject([change]);
  for (let count = 0; count < 500; count += 1) audit.refused(refusal);
  audit.refused({ ...refusal, address: "10.0.0.8" });
  await until(() => stored.length === 1);
  expect(logged).toHaveLength(1);
  pass(60_000);
  await until(() => stored.length === 3);
  expect(stored.map(({ result, count }) => [result, count])).toEqual([
    ["ok", 1],
    ["forbidden", 500],
    ["forbidden", 1],
  ]);
  await audit.stop(AbortSignal.timeout(5000));
});

test("a flood of different refusals is a bounded number of entries, and none of them is lost from the count", async () => {
  const { audit, stored } = openLog();
  await audit.start();
  for (let count = 0; count < 5000; count += 1) audit.refused({ ...refusal, target: `/${count}` });
  audit.refused({ ...refusal, target: "/0" });
  await audit.stop(AbortSignal.timeout(5000));
  expect(stored.length).toBeLessThan(60);
  expect(stored.reduce((sum, { count }) => sum + count, 0)).toBe(5001);
  expect(stored.find(({ target }) => target === "/0")?.count).toBe(2);
});

test("while the database is away, changes wait, the newest ones beyond the limit are only logged, and that is said", async () => {
  let isAway = true;
  const stored: AuditEntry[] = [];
  const { audit, logged } = openLog((entries) => {
    if (isAway) return Promise.reject(new StoreUnavailable("away"));
    stored.push(...entries);
    return Promise.resolve();
  });
  await audit.start();
  for (let count = 0; count < 10_010; count += 1) audit.changed(change);
  await until(() => audit.error()?.includes("cannot be written") === true);
  isAway = false;
  await until(() => stored.length === 10_000);
  await until(() => audit.error() === "10 entries of the audit log are only in the process's log");
  expect(logged).toHaveLength(10_010);
  await audit.stop(AbortSignal.timeout(5000));
});

test("texts of clients are cut, and are well-formed; entries that the store refuses do not hold up others", async () => {
  const stored: AuditEntry[] = [];
  const { audit } = openLog((entries) => {
    if (entries.some(({ target }) => target === "poison")) return Promise.reject(new StoreRejected("no"));
    stored.push(...entries);
    return Promise.resolve();
  });
  await audit.start();
  audit.changed({ ...change, target: "poison" });
  await until(() => audit.error()?.startsWith("1 entries") === true);
  audit.changed({ ...change, target: `\ud800${"x".repeat(1000)}` });
  await until(() => stored.length === 1);
  expect(stored[0]?.target).toBe(`\ufffd${"x".repeat(299)}...`);
  await audit.stop(AbortSignal.timeout(5000));
});
