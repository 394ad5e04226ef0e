import { expect, test } from "bun:test";
import { mappingFile } from "../../src/access/file/mapping-file.ts";
import { MappedCallers, type Person } from "../../src/access/mapped-callers.ts";
import { TestMapping } from "../routes/access/people-gateway.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const alice: Person = {
  ...{ kind: "session", reference: "session:1", id: "oidc:alice", name: "alice" },
  ...{ identity: { subject: "alice", groups: ["a"] }, expiresAtMs: 10_000 },
};

test("a caller is the same until it expires, or the file grants something else; then it ends", async () => {
  let nowMs = 0;
  const mapping = await TestMapping.make([{ groups: ["a"], scopes: ["read"] }]);
  const clock = { nowMs: () => nowMs, sleep: () => Promise.resolve(), after: systemClock.after };
  const callers = new MappedCallers({ file: mappingFile(mapping.path), clock, log: unshownLog() });
  expect(callers.callerOf(alice)).toBeUndefined();
  await callers.refresh();
  const caller = callers.callerOf(alice);
  expect(caller?.grant.scopes).toEqual(["read"]);
  await callers.refresh();
  expect([callers.callerOf(alice) === caller, caller?.hasEnded]).toEqual([true, false]);

  await mapping.write([
    { groups: ["b"], scopes: ["operate"] },
    { groups: ["a"], scopes: ["read"] },
  ]);
  await callers.refresh();
  expect([callers.callerOf(alice) === caller, caller?.hasEnded]).toEqual([true, false]);
  await mapping.write([{ groups: ["a"], scopes: ["read", "operate"] }]);
  await callers.refresh();
  const next = callers.callerOf(alice);
  expect([caller?.hasEnded, next?.grant.scopes]).toEqual([true, ["operate", "read"]]);

  // what is not usable grants nothing; a file that is not there says nothing new
  await mapping.write([{ groups: ["a"], scopes: ["read", "root"] }]);
  await callers.refresh();
  expect([next?.hasEnded, callers.callerOf(alice), callers.error()]).toEqual([
    true,
    undefined,
    "what people may do: entry 1: it has no list of scopes from read, write, operate, admin",
  ]);
  await mapping.write([{ groups: ["a"], scopes: ["read"] }]);
  await callers.refresh();
  const last = callers.callerOf(alice);
  await mapping.remove();
  await callers.refresh();
  expect([callers.callerOf(alice) === last, callers.error()]).toEqual([true, expect.stringContaining("stay valid")]);

  nowMs = 10_000;
  expect([callers.callerOf(alice), last?.hasEnded]).toEqual([undefined, true]);
});

test("of many callers, the one that was used least recently ends", async () => {
  const mapping = await TestMapping.make([{ groups: ["a"], scopes: ["read"] }]);
  const clock = { nowMs: () => 0, sleep: () => Promise.resolve(), after: systemClock.after };
  const callers = new MappedCallers({ file: mappingFile(mapping.path), clock, log: unshownLog() });
  await callers.refresh();
  const first = callers.callerOf(alice);
  for (let index = 0; index < 10_000; index += 1) callers.callerOf({ ...alice, reference: `session:x${index}` });
  expect([first?.hasEnded, callers.referencesWith("session:").length]).toEqual([true, 10_000]);
  await mapping.remove();
});
