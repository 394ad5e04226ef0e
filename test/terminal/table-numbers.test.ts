import { expect, test } from "bun:test";
import { cellOf } from "../../scripts/telemetry/output.ts";

test.each([
  [33.333333333333336, "33.3333"],
  [0.012345678901234, "0.01235"],
  [-1.2345678901234567, "-1.2346"],
  [40.123456, "40.123456"],
  [123456789012345, "123456789012345"],
  [98.5, "98.5"],
  [0, "0"],
])("a table shows %p as %s", (value, text) => {
  expect(cellOf(value)).toBe(text);
});
