import { expect, test } from "bun:test";
import fc from "fast-check";
import { matchesPattern } from "../../src/faults/silence.ts";

test("in a pattern, a star is any text, and all other characters are themselves", () => {
  const texts = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
  const patterns = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 8 });
  fc.assert(
    fc.property(texts, patterns, (text, pattern) => {
      const parts = pattern.split("*").map((part) => part.replaceAll(".", "\\."));
      expect(matchesPattern(text, pattern)).toBe(new RegExp(`^${parts.join(".*")}$`).test(text));
    }),
  );
});

test("a pattern of many stars takes no longer than a short one", () => {
  const [text, pattern] = ["a".repeat(1000), `${"*a".repeat(100)}*b`];
  const startedMs = performance.now();
  expect(matchesPattern(text, pattern)).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(200);
});
