import { expect, test } from "bun:test";
import { mappingFile, readMapping } from "../../src/access/file/mapping-file.ts";
import { GrantMapping, type Identity, type MappingEntry } from "../../src/access/grant-mapping.ts";

const grantOf = (entries: readonly MappingEntry[], identity: Identity) => new GrantMapping(entries).grantOf(identity);
const readA = { scopes: ["read"], selector: { namespaces: ["a"] } } as const;
const readB = { scopes: ["read"], selector: { namespaces: ["b"] } } as const;

test("an entry fits who has its subject, all of its groups, or a name in the certificate; every given condition must hold", () => {
  const scopes = ["read"] as const;
  const cases: [Omit<MappingEntry, "scopes">, Identity, boolean][] = [
    [{ subject: "alice" }, { subject: "alice" }, true],
    [{ subject: "alice" }, { subject: "Alice" }, false],
    [{ subject: "alice" }, { certificate: ["alice"] }, false],
    [{ groups: ["a"] }, { groups: ["b", "a"] }, true],
    [{ groups: ["a", "b"] }, { groups: ["a"] }, false],
    [{ groups: ["a", "b"] }, { groups: ["b", "a"] }, true],
    [{ groups: ["a"] }, { subject: "a" }, false],
    [{ subject: "alice", groups: ["a"] }, { subject: "alice", groups: [] }, false],
    [{ certificate: "CN=x" }, { certificate: ["DNS:y", "CN=x"] }, true],
    [{ certificate: "CN=x" }, { subject: "CN=x", groups: ["CN=x"] }, false],
    [{}, { subject: "alice" }, false],
  ];
  for (const [condition, identity, isFit] of cases) {
    expect([condition, identity, grantOf([{ ...condition, scopes }], identity) !== undefined]).toEqual([
      condition,
      identity,
      isFit,
    ]);
  }
});

test("what fits adds up where that gives no more than each entry does; otherwise the first entry counts alone", () => {
  const all = { groups: ["a", "b", "ops"] };
  const ops: MappingEntry = { groups: ["ops"], scopes: ["operate"] };
  const [a, b]: MappingEntry[] = [
    { groups: ["a"], ...readA },
    { groups: ["b"], ...readB },
  ];
  const entries = (...list: (MappingEntry | undefined)[]) => list.filter((each) => each !== undefined);
  const plain: MappingEntry = { groups: ["a"], scopes: ["read"] };
  expect(grantOf(entries(plain, ops), all)).toEqual({ scopes: ["operate", "read"] });
  expect(grantOf(entries(a, b), all)).toEqual({ scopes: ["read"], selector: { namespaces: ["a", "b"] } });
  // reading of one namespace and operating without bounds is not reading without bounds
  expect(grantOf(entries(a, ops), all)).toEqual(readA as never);
  expect(grantOf(entries(ops, a), all)).toEqual({ scopes: ["operate"] });
  // of a cluster or a namespace is more than of a namespace in a cluster
  const cluster: MappingEntry = { groups: ["b"], scopes: ["read"], selector: { clusters: ["c"] } };
  expect(grantOf(entries(a, cluster), all)).toEqual(readA as never);
  const both: MappingEntry = { groups: ["b"], scopes: ["read"], selector: { clusters: ["c"], namespaces: ["b"] } };
  expect(grantOf(entries(both, a), all)).toEqual({ scopes: ["read"], selector: both.selector as never });
  const writing: MappingEntry = { groups: ["b"], scopes: ["read", "write"], selector: { namespaces: ["b"] } };
  expect(grantOf(entries(a, writing), all)).toEqual(readA as never);
});

test("each entry that is not usable is named with its place and the reason; the others count", () => {
  const entry = { groups: ["a"], scopes: ["read"] };
  const faults: [unknown, string][] = [
    [{ scopes: ["read"] }, "no subject, groups or certificate"],
    [{ group: "a", scopes: ["read"] }, 'unknown member "group"'],
    [{ ...entry, groups: [] }, "groups are not a list of texts"],
    [{ ...entry, groups: "a" }, "groups are not a list of texts"],
    [{ ...entry, groups: ["a", 1] }, "groups are not a list of texts"],
    [{ ...entry, subject: "" }, "subject is not a text"],
    [{ ...entry, subject: null }, "subject is not a text"],
    [{ ...entry, certificate: 1 }, "certificate is not a text"],
    [{ ...entry, scopes: [] }, "no list of scopes from read"],
    [{ ...entry, scopes: ["root"] }, "no list of scopes"],
    [{ ...entry, selector: {} }, "selector is not usable"],
    [{ ...entry, selector: { namespaces: [] } }, "selector is not usable"],
    [{ ...entry, scopes: ["write"], selector: { namespaces: ["a"] } }, "selector"],
    [[], "not a JSON object"],
    ["a", "not a JSON object"],
  ];
  const { entries, problems } = readMapping(JSON.stringify([entry, ...faults.map(([fault]) => fault)]));
  expect(entries).toEqual([entry] as never);
  faults.forEach((_, index) => expect(problems[index]).toStartWith(`entry ${index + 2}: it`));
  faults.forEach(([, reason], index) => expect(problems[index]).toContain(reason));
  expect(readMapping(`${JSON.stringify(entry)}\n{"groups"`)).toMatchObject({ problems: ["line 2: it is not JSON"] });
});

test("a file that is not there grants nothing, and is named with its setting", async () => {
  const { entries, problems } = await mappingFile("/nowhere/mapping.json").read();
  expect([entries, problems]).toEqual([
    [],
    [expect.stringContaining("AUTH_MAPPING_FILE=/nowhere/mapping.json cannot be read")],
  ]);
});
