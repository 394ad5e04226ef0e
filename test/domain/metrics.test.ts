import { expect, test } from "bun:test";
import { metrics } from "../../src/domain/metrics.ts";

test("no two metrics of the catalogue have the same name, DCGM field or DCGM field id", () => {
  for (const key of ["name", "dcgmField", "dcgmFieldId"] as const) {
    const values = metrics.flatMap((metric) => metric[key] ?? []);
    expect(values.filter((value, index) => values.indexOf(value) !== index)).toEqual([]);
  }
});
