import { expect, test } from "bun:test";
import { walkExpositions } from "./exposition/walk.ts";

test("a mutated line is read or rejected as the reference says, and every other line is read as before", () => {
  const { mismatch, rejected } = walkExpositions(5000, 1);
  expect(mismatch).toBeUndefined();
  expect(rejected).toBeGreaterThan(1000);
});
