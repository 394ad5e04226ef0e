import { expect, test } from "bun:test";
import { type Column, differencesOf, digestsOf, type Values } from "./columns.ts";

const of: readonly Column[] = [
  { name: "uuid", kind: "text" },
  { name: "timestamp", kind: "time" },
  { name: "power_draw", kind: "number" },
  { name: "custom", kind: "json" },
];
const values: Values = {
  uuid: ["a", "b"],
  timestamp: [new Date(0), new Date(1)],
  power_draw: [0.1, 0],
  custom: ['{"x":1,"y":[{"a":1,"b":2}]}', null],
};

test("each change of a value is a difference of its column, and only of it", () => {
  const expected = digestsOf(values, of);
  const changes: readonly Values[] = [
    { uuid: ["a", ""] },
    { uuid: ["a", null] },
    { uuid: ["", "ab"] },
    { timestamp: [new Date(0), new Date(2)] },
    { power_draw: [0.1, -0] },
    { power_draw: [0.1, null] },
    { power_draw: [0.100_000_000_000_000_02, 0] },
    { custom: ['{"x":1,"y":[{"a":1,"b":3}]}', null] },
    { custom: ['{"x":1,"y":[{"a":1,"b":2}]}', "{}"] },
  ];
  for (const change of changes) {
    expect(differencesOf(expected, digestsOf({ ...values, ...change }, of))).toEqual(Object.keys(change));
  }
  const fewer = Object.fromEntries(Object.entries(values).map(([name, [first]]) => [name, [first]]));
  expect(differencesOf(expected, digestsOf(fewer, of))).toEqual(["1 records, not 2"]);
});

test("times are equal as numbers, JSON in any order, and a column without values may be absent", () => {
  const expected = digestsOf({ ...values, power_draw: [null, null] }, of);
  const { power_draw: _, ...others } = values;
  const same = { ...others, timestamp: [0, 1], custom: ['{ "y": [{"b": 2, "a": 1}], "x": 1.0 }', null] };
  expect(differencesOf(expected, digestsOf(same, of))).toEqual([]);
  expect(differencesOf(digestsOf(values, of, true), digestsOf({ ...values, ...same }, of, true))).toContain("custom");
});
