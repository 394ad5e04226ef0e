import { expect, test } from "bun:test";
import { readTargetsFile } from "../../../src/pipeline/source/exporter/discovery/targets-file.ts";
import { readTarget, sourceIdOf } from "../../../src/pipeline/source/exporter/target.ts";

const targetsIn = (text: string, path = "targets") => readTargetsFile({ path, text }, "lab");
const errorIn = (text: string, path = "targets"): string => {
  try {
    return `no error, but ${JSON.stringify(targetsIn(text, path))}`;
  } catch (error) {
    return (error as Error).message;
  }
};

for (const [address, name, url] of [
  ["gpu1:9400", "gpu1:9400", "http://gpu1:9400/metrics"],
  ["GPU1", "gpu1:9400", "http://gpu1:9400/metrics"],
  ["gpu1:80", "gpu1:80", "http://gpu1/metrics"],
  ["10.0.0.1:9400", "10.0.0.1:9400", "http://10.0.0.1:9400/metrics"],
  ["[::1]:9400", "[::1]:9400", "http://[::1]:9400/metrics"],
  ["fd00::7", "[fd00::7]:9400", "http://[fd00::7]:9400/metrics"],
  ["http://gpu1:9400", "gpu1:9400", "http://gpu1:9400/metrics"],
  ["https://gpu1/gpu/metrics", "https://gpu1:443/gpu/metrics", "https://gpu1/gpu/metrics"],
] as const) {
  test(`the target ${address} is ${url}`, () => {
    expect(readTarget({ address }, "lab")).toMatchObject({ name, url });
  });
}

test("a query is part of the request, but neither of the target's name nor of its source's id", () => {
  const target = readTarget({ address: "http://gpu1:9400/metrics?token=secret" }, "lab");
  if (typeof target === "string") throw new Error(target);
  expect(target.url).toContain("?token=secret");
  expect(sourceIdOf(target)).toMatch(/^scrape:lab:http:\/\/gpu1:9400\/metrics\?[0-9a-f]{8}$/);
});

for (const [address, error] of [
  ["", /is not usable: expected host:port or a URL/],
  ["gpu1:99999", /is not usable/],
  ["http://user:geheim@gpu1:9400", /has a user or a password .*DCGM_USERNAME/],
  ["file:///etc/passwd", /is not usable/],
] as const) {
  test(`the target ${JSON.stringify(address)} is refused without its secrets`, () => {
    const read = readTarget({ address }, "lab");
    expect(read).toMatch(error);
    expect(read).not.toContain("geheim");
  });
}

test("the simple form has a target per line, labels and comments", () => {
  const text = "# racks\n\n[::1]:9400\ngpu1:9400  cluster=prod rack=r1 # new\r\nhttps://gpu2/metrics\n";
  expect(targetsIn(text).map(({ name, clusterId, labels }) => [name, clusterId, labels])).toEqual([
    ["[::1]:9400", "lab", {}],
    ["gpu1:9400", "prod", { rack: "r1" }],
    ["https://gpu2:443/metrics", "lab", {}],
  ]);
});

const groups = [
  {
    targets: ["gpu1:9400", "gpu2:9400"],
    labels: { cluster: "prod", rack: "r1", __meta_node: "x", __scheme__: "https", __metrics_path__: "/gpu" },
  },
  { targets: ["gpu3:9400"], labels: { slot: 7 } },
  { targets: ["gpu4:9400"] },
];
const read: [string, string, Record<string, string>][] = [
  ["https://gpu1:9400/gpu", "prod", { rack: "r1" }],
  ["https://gpu2:9400/gpu", "prod", { rack: "r1" }],
  ["gpu3:9400", "lab", { slot: "7" }],
  ["gpu4:9400", "lab", {}],
];
const yaml = Bun.YAML.stringify(groups, null, 2);
for (const [form, path, text] of [
  ["JSON", "targets.json", JSON.stringify(groups, null, "\t")],
  ["JSON without a known ending", "targets", JSON.stringify(groups)],
  ["YAML", "targets.yml", `# from a script\n${yaml}`],
  ["YAML without a known ending", "targets", yaml],
] as const) {
  test(`the form of Prometheus's file_sd is read as ${form}`, () => {
    expect(targetsIn(text, path).map(({ name, clusterId, labels }) => [name, clusterId, labels])).toEqual(read);
  });
}

test("[] in a file has no targets, but an empty file is an error", () => {
  expect(targetsIn("[]")).toEqual([]);
  for (const path of ["t", "t.json", "t.yaml"])
    expect(errorIn(" \n", path)).toMatch(/^t[^:]*:1: the file is empty; write \[\]/);
});

for (const [what, text, error] of [
  ["a label without a value", "a:9400\nb:9400 rack", /^targets:2: "rack" is no label; expected name=value$/],
  ["an unusable address", "a:9400\n\nftp://b\n", /^targets:3: the target "ftp:\/\/b"/],
  ["a cluster that is no name", "a:9400 cluster=a/b", /^targets:1: the cluster "a\/b" is not usable/],
  ["unfinished JSON", '[{"targets": ["a:9400"],\n', /^targets:\d: /],
  ["a group without targets", '[{"targets": ["a:9400"]},\n {"labels": {}}]', /^targets:2: expected targets/],
  ["a target that is no text", '[{"targets":\n ["a:9400",\n 9400]}]', /^targets:3: expected targets/],
  ["a single group", "---\ntargets: [a]", /^targets:1: expected a list of groups/],
  ["a wrong label name", '[{"targets": ["a"], "labels": {"a-b": "x"}}]', /^targets:1: the label "a-b" is not usable/],
] as const) {
  test(`a file with ${what} is refused as a whole, with its line`, () => {
    expect(errorIn(text)).toMatch(error);
  });
}

for (const text of ["gpu1:9400 cluster=prod\ngpu2:9400\n", "[::1]:9400 rack=r1\n", "gpu1:9400 # new: rack\n"]) {
  test(`a name for the other form is said to be the fault: ${JSON.stringify(text)}`, () => {
    for (const path of ["t.json", "t.yaml"]) {
      expect(errorIn(text, path)).toContain(
        `${path.slice(1)} means Prometheus' file_sd; a file with a target per line has another ending, such as .txt`,
      );
    }
    expect(targetsIn(text, "t.txt").length).toBeGreaterThan(0);
  });
}

test("a group without its list is recognised whatever the file's name", () => {
  expect(errorIn('targets: ["gpu1:9400"]\n', "t.txt")).toMatch(/^t.txt:1: expected a list of groups/);
  expect(errorIn('targets: ["gpu1:9400"]\n', "t.yaml")).not.toContain("means");
});

test("of many errors, the first five are named", () => {
  const error = errorIn(Array.from({ length: 12 }, (_, index) => `gpu${index} rack`).join("\n"));
  expect(error).toMatch(/targets:5: .*; and 7 more errors$/);
  expect(error).not.toContain("targets:6:");
});

test("a YAML alias without an anchor, or a bomb of aliases, is refused with the file's name", () => {
  expect(errorIn("- targets: *b\n", "t.yaml")).toMatch(/^t\.yaml:1: .*alias/i);
  const bomb = [
    "a: &a [x]",
    ...["b", "c", "d"].map((name, at) => `${name}: &${name} [${`*${"abc"[at]},`.repeat(99)}]`),
  ];
  expect(errorIn(`${bomb.join("\n")}\n`, "t.yaml")).toMatch(/^t\.yaml:1: .*alias/i);
});
