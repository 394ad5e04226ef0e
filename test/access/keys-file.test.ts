import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeysFile, keyFileLine, readKeys } from "../../src/access/file/keys-file.ts";
import { makeKeyText } from "../../src/access/key-text.ts";

const { sha256 } = makeKeyText();
const entry = { id: "ci", name: "CI", sha256, scopes: ["read"] };

test("a file is an array of entries, or an entry on each line", () => {
  const other = { ...entry, id: "two", scopes: ["write", "operate"], expires: "2030-01-02T03:04:05Z" };
  const selector = { hosts: ["a", "b"] };
  const team = { ...entry, id: "team", selector };
  expect(readKeys(JSON.stringify({ ...team, selector: { hosts: ["b", "a", "b"] } })).keys).toEqual([team] as never);
  expect(readKeys(keyFileLine({ ...team, expiresAtMs: undefined } as never)).keys).toEqual([team] as never);
  const keys = [
    { ...entry, expiresAtMs: undefined },
    { id: "two", name: "CI", sha256, scopes: ["write", "operate"], expiresAtMs: Date.UTC(2030, 0, 2, 3, 4, 5) },
  ];
  const lines = `${JSON.stringify(entry)}\r\n\n${JSON.stringify(other)}`;
  for (const text of [JSON.stringify([entry, other]), lines])
    expect(readKeys(text)).toEqual({ keys, problems: [] } as never);
  expect(readKeys(keyFileLine(keys[1] as never)).keys).toEqual([keys[1]] as never);
});

test("each entry that is not usable is named with its place and the reason; the others stay valid", () => {
  const faults: [unknown, string][] = [
    [{ ...entry, id: "A B" }, "its id is not"],
    [{ ...entry, id: "a".repeat(33) }, "its id is not"],
    [{ ...entry, id: "n", name: 7 }, 'the key "n" has no name'],
    [{ ...entry, id: "n", name: "" }, 'the key "n" has a name that is not usable'],
    [{ ...entry, id: "u", name: "ad\u200bmin" }, "it has characters that are not seen"],
    [{ ...entry, id: "h", sha256: sha256.slice(1) }, 'the key "h" has no sha256'],
    [{ ...entry, id: "s", scopes: [] }, "no list of scopes from read, write, operate, admin"],
    [{ ...entry, id: "s", scopes: ["root"] }, "no list of scopes"],
    [{ ...entry, id: "s", scopes: "read" }, "no list of scopes"],
    [{ ...entry, id: "e", expires: "2030-01-02" }, "not RFC 3339"],
    [{ ...entry, id: "e", expires: 1 }, "not RFC 3339"],
    [{ ...entry, id: "sel", selector: {} }, 'the key "sel" has a selector that is not usable'],
    [{ ...entry, id: "sel", selector: null }, "it is not an object with lists of names"],
    [{ ...entry, id: "sel", selector: { clusters: [] } }, "its clusters: it is not a list of names"],
    [{ ...entry, id: "sel", selector: { hosts: ["a", 1] } }, "its hosts: a name is empty"],
    [{ ...entry, id: "sel", selector: { cluster: ["a"] } }, "lists of names: clusters, hosts, namespaces"],
    [
      { ...entry, id: "sel", scopes: ["read", "operate", "write"], selector: { hosts: ["a"] } },
      "write would reach beyond it",
    ],
    [{ ...entry, id: "u", scope: "read" }, 'unknown member "scope"'],
    [entry, 'another entry has the id "ci"'],
    [[], "not a JSON object"],
    [null, "not a JSON object"],
  ];
  const { keys, problems } = readKeys(JSON.stringify([entry, ...faults.map(([fault]) => fault)]));
  expect(keys.map(({ id }) => id)).toEqual(["ci"]);
  expect(problems.map((problem) => problem.split(":")[0])).toEqual(faults.map((_, index) => `entry ${index + 2}`));
  faults.forEach(([, reason], index) => expect(problems[index]).toContain(reason));
  expect(readKeys(`${JSON.stringify(entry)}\ngtp_a_${"s".repeat(43)}`)).toMatchObject({
    problems: ["line 2: it is not JSON"],
  });
});

test("a file that changes is read again; one that vanishes or grows too large keeps its last keys, and that is said", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-keys-"));
  const path = join(folder, "keys.json");
  const file = new KeysFile(path);
  expect(await file.read()).toMatchObject({ keys: [], problems: [expect.stringContaining("AUTH_KEYS_FILE=")] });
  await Bun.write(path, JSON.stringify([entry]));
  expect(await file.read()).toMatchObject({ keys: [{ id: "ci" }], problems: [] });
  await Bun.write(path, JSON.stringify([{ ...entry, id: "ab" }]));
  expect(await file.read()).toMatchObject({ keys: [{ id: "ab" }], problems: [] });
  for (const spoil of [() => rm(path), () => Bun.write(path, " ".repeat(5 * 1024 * 1024))]) {
    await spoil();
    const kept = await file.read();
    expect(kept.keys).toMatchObject([{ id: "ab" }]);
    expect(kept.problems[0]).toContain("the 1 keys of the last reading stay valid");
  }
  await rm(folder, { recursive: true });
});
