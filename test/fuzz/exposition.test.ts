import { expect, test } from "bun:test";
import { randomFrom } from "../support/random.ts";
import { ExpositionLines } from "./exposition/walk.ts";

test("a mutated line is read or rejected as the reference says, and every other line is read as before", () => {
  const lines = new ExpositionLines();
  const random = randomFrom(1);
  for (let count = 0; count < 5000; count += 1) expect(lines.next(random)).toBeUndefined();
  expect(lines.rejected).toBeGreaterThan(1000);
});
