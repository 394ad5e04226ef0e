import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  faultQueryOf,
  faultShowNames,
  type FaultState,
  faultStateOf,
  hasWords,
  severities,
} from "../../src/dashboard/model/fault-state.ts";

const state: fc.Arbitrary<FaultState> = fc.record({
  show: fc.constantFrom(...faultShowNames),
  severity: fc.option(fc.constantFrom(...severities), { nil: undefined }),
  search: fc.string().map((text) => text.trim()),
});

test("the URL of the page of faults gives back what was chosen", () => {
  fc.assert(fc.property(state, (given) => expect(faultStateOf(faultQueryOf(given))).toEqual(given)));
  expect(faultStateOf("?show=all&severity=bad")).toEqual({ show: "open", severity: undefined, search: "" });
});

test("a search finds faults with every word, wherever they are", () => {
  const texts = ["nvidia.xid.reset", "The GPU needs a reset", "gpu-01", undefined];
  expect(["xid GPU-01", "", "reset"].map((search) => hasWords(search, texts))).toEqual([true, true, true]);
  expect(hasWords("xid gpu-02", texts)).toBe(false);
});
