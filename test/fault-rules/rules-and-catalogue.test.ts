import { describe, expect, test } from "bun:test";
import { metricIndexOf } from "../../src/domain/metrics.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import { readRules, withOverrides } from "../../src/faults/rules/read-rules.ts";
import { readXidCatalogue, type XidClass, xidOfCode } from "../../src/faults/rules/xid-catalogue.ts";
import { catalogue, recordOf, rules, startMs } from "./scripted-fleet.ts";

/** The codes that the sources name, by class. */
const classes: readonly (readonly [XidClass, string])[] = [
  ["application", "8 11 13 25 31 32 39-41 60 68-72 75-77 80 82-86 88 89 94 96-105 126-135 139"],
  ["reset", "46 62 64 95 109 110 119 120 136 140 143 155 156 158"],
  ["reboot", "79 151 160"],
  ["memory", "48"],
  ["link", "74 144-150"],
  ["config", "54 78 154"],
  ["noise", "14 37 38 43-45 63 66 67 92 93 106-108 121 137 141 152 153 157 161"],
  ["unpublished", "142 159 162-172"],
];

/** `39-41 60` -> 39, 40, 41, 60. */
function codesOf(text: string): number[] {
  return text.split(" ").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

describe("the catalogue of XIDs", () => {
  test("has the codes that the sources name, and no other", () => {
    for (const [name, text] of classes) {
      const codes = [...catalogue.values()].filter((xid) => xid.class === name).map(({ code }) => code);
      expect([name, codes]).toEqual([name, codesOf(text)]);
    }
    expect(catalogue.size).toBe(classes.flatMap(([, text]) => codesOf(text)).length);
  });

  test("calls an unknown code unpublished, with what to do", () => {
    const { class: name, action } = xidOfCode(catalogue, 999);
    expect([name, action]).toEqual(["unpublished", expect.stringMatching(/^No published action/)]);
  });

  const header = "code,name,class,action,source,date";
  const row = "79,Lost,reboot,Reboot it.,gpud,2025-10-29";
  for (const [what, text, message] of [
    [
      "another header",
      `code,name\n${row}`,
      'x.csv:1: the header is "code,name"; expected code,name,class,action,source,date',
    ],
    ["nothing", "", 'x.csv:1: the header is ""; expected code,name,class,action,source,date'],
    ["no code", `${header}\n`, "x.csv: the catalogue has no code"],
    [
      "a field too few",
      `${header}\n${row}\n80,Lost,reboot,Reboot it.,gpud`,
      "x.csv:3: the row has 5 fields; expected 6",
    ],
    [
      "a strange code",
      `${header}\n7e1,Lost,reboot,Reboot it.,gpud,2025-10`,
      'x.csv:2: the code is "7e1"; expected a whole number from 1 to 99999',
    ],
    [
      "a strange class",
      `${header}\n79,Lost,rebot,Reboot it.,gpud,2025-10`,
      'x.csv:2: the class of 79 is "rebot"; expected one of application, reset, reboot, memory, link, config, noise, unpublished',
    ],
    ["no action", `${header}\n79,Lost,reboot, ,gpud,2025-10`, "x.csv:2: the action of 79 is empty"],
    [
      "a strange date",
      `${header}\n79,Lost,reboot,Reboot it.,gpud,soon`,
      'x.csv:2: the date of 79 is "soon"; expected YYYY-MM or YYYY-MM-DD',
    ],
    ["a code twice", `${header}\n${row}\n${row}`, "x.csv:3: the code 79 is listed twice"],
    ["an open quote", `${header}\n79,"Lost`, /^x\.csv is not CSV: /],
  ] as const) {
    test(`with ${what} is refused`, () => {
      expect(() => readXidCatalogue(text, "x.csv")).toThrow(message);
    });
  }
});

describe("the default rules", () => {
  test("read metrics of the catalogue, except those that it does not have", () => {
    const named = rules.flatMap((rule) => ("metric" in rule ? [rule.metric] : []));
    expect(named.filter((name) => metricIndexOf(name) === undefined)).toEqual([
      ...["DCGM_FI_DEV_PCIE_LINK_WIDTH", "DCGM_FI_DEV_PCIE_LINK_GEN", "DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY"],
    ]);
  });

  test("cover each class of XIDs except noise, once", () => {
    const covered = rules.flatMap((rule) => (rule.kind === "xid" ? [rule.class] : []));
    expect(covered.sort()).toEqual(
      classes
        .map(([name]) => name)
        .filter((name) => name !== "noise")
        .sort(),
    );
  });
});

describe("a file of rules", () => {
  const common = "severity: info, summary: a, meaning: a, action: a, source: a";
  const full = `${common}, metric: temperature, for_seconds: 0, resolve_for_seconds: 0`;
  for (const [text, message] of [
    ["{", /^x\.yaml is not YAML: /],
    ["a: 1", "x.yaml: expected a list of rules"],
    ["[]", "x.yaml: expected a list of rules"],
    ["[5]", "x.yaml: rule number 1: field kind: nothing; expected one of threshold, rate,"],
    [`[{ id: a.b, kind: treshold, ${full} }]`, 'x.yaml: rule a.b: field kind: "treshold"; expected threshold'],
    [`[{ id: A, kind: threshold, above: 1, ${full} }]`, 'x.yaml: rule A: field id: "A"; expected'],
    [`[{ id: a.b, kind: threshold, ${full} }]`, "x.yaml: rule a.b: expected exactly one of the fields above and below"],
    [
      `[{ id: a.b, kind: threshold, above: 1, below: 2, ${full} }]`,
      "x.yaml: rule a.b: expected exactly one of the fields above and below",
    ],
    [
      `[{ id: a.b, kind: threshold, above: 1, resolve: 2, ${full} }]`,
      "x.yaml: rule a.b: field resolve: 2; expected at most above (1)",
    ],
    [
      `[{ id: a.b, kind: threshold, below: 3, resolve: 2, ${full} }]`,
      "x.yaml: rule a.b: field resolve: 2; expected at least below (3)",
    ],
    [
      `[{ id: a.b, kind: threshold, above: 1, ${full} }, { id: a.b, kind: threshold, above: 1, ${full} }]`,
      "x.yaml: rule a.b: the id is used twice",
    ],
    [
      `[{ id: a.b, kind: coverage, below: 0.9, resolve: 0.8, ${common} }]`,
      "x.yaml: rule a.b: field resolve: 0.8; expected at least below (0.9)",
    ],
    [
      `[{ id: a.b, kind: coverage, below: 90, ${common} }]`,
      "x.yaml: rule a.b: field resolve: it is missing\nx.yaml: rule a.b: field below: 90; expected a number from 0 to 1",
    ],
  ] as const) {
    test(`${text.slice(0, 60)} is refused`, () => {
      expect(() => readRules(text, "x.yaml")).toThrow(message);
    });
  }
});

describe("a file of the operator", () => {
  test("changes thresholds and durations, and disables rules", () => {
    const text =
      "gpu.temperature.high: { above: 50, resolve: 45, for_seconds: 0 }\nmemory.row-remap.failed: { enabled: false }";
    const evaluator = new FaultEvaluator({ rules: withOverrides(rules, text, "x.yaml"), catalogue });
    evaluator.advance(startMs);
    const changes = evaluator.observe(recordOf(0, 0, { metrics: { row_remap_failure: 1 } }));
    expect(changes.map(({ state, name }) => `${state} ${name}`)).toEqual(["firing gpu.temperature.high"]);
  });

  test("is refused if its threshold contradicts a field that it does not change", () => {
    const text = "gpu.temperature.high: { above: 50 }";
    expect(() => withOverrides(rules, text, "x.yaml")).toThrow("field resolve: 82; expected at most above (50)");
  });

  test("may be empty", () => {
    expect(withOverrides(rules, "", "x.yaml")).toEqual(rules);
  });

  for (const [text, message] of [
    ["[]", "x.yaml: expected ids of rules, each with the fields to change"],
    ["gpu.temperatur.high: {}", "x.yaml: rule gpu.temperatur.high: no rule has this id; expected gpu.temperature.high"],
    [
      "gpu.temperature.high: { abve: 80 }",
      "x.yaml: rule gpu.temperature.high: field abve: 80; there is no such field, expected above",
    ],
    [
      "gpu.temperature.high: { above: hot }",
      'x.yaml: rule gpu.temperature.high: field above: "hot"; expected a number',
    ],
    [
      "gpu.temperature.high: { for_seconds: 1.5 }",
      "x.yaml: rule gpu.temperature.high: field for_seconds: 1.5; expected a whole number from 0 to 2678400",
    ],
    [
      "gpu.temperature.high: { severity: bad }",
      'x.yaml: rule gpu.temperature.high: field severity: "bad"; expected one of info, warning, critical',
    ],
    [
      "gpu.temperature.high: { metric: power_draw }",
      "x.yaml: rule gpu.temperature.high: field metric: it says what the rule is, and cannot be changed",
    ],
    [
      "gpu.temperature.high: 90",
      "x.yaml: rule gpu.temperature.high: 90 is no map of fields; expected for example { enabled: false }",
    ],
    ["gpu.temperature.high: { enabled: 0 }", "x.yaml: rule gpu.temperature.high: field enabled: 0; expected"],
  ] as const) {
    test(`${text} is refused`, () => {
      expect(() => withOverrides(rules, text, "x.yaml")).toThrow(message);
    });
  }
});
