import { expect, test } from "bun:test";
import fc from "fast-check";
import { isVisible, visible, visibleLines } from "../../src/domain/visible-text.ts";

test.each([
  ["marks of the direction of writing", "a\u202eb\u2066c", "a\\u202eb\\u2066c"],
  [
    "characters without width, and tags",
    "ad\u200bmin\ufeff\u{e0041}\u00ad",
    "ad\\u200bmin\\ufeff\\udb40\\udc41\\u00ad",
  ],
  ["what controls a terminal", "\u001b[2J\u009b1m\u007f\b", "\\u001b[2J\\u009b1m\\u007f\\b"],
  ["line breaks of every kind", "a\nb\rc\u0085d\u2028e\u2029f\v", "a\\nb\\rc\\u0085d\\u2028e\\u2029f\\u000b"],
  ["other spaces, and spaces at the ends", " a\u00a0b\u3000c ", "\\u0020a\\u00a0b\\u3000c\\u0020"],
  ["letters in parts that one character could stand for", "cafe\u0301, \u212b", "cafe\\u0301, \\u212b"],
  ["Cyrillic and Greek letters among Latin ones", "\u0430dmin, h\u03bfst", "\\u0430dmin, h\\u03bfst"],
  ["a Cyrillic letter beside Latin words", "host-\u0430", "host-\\u0430"],
  ["other forms of letters and hyphens", "\uff41\u{1d41a}gpu\u20111", "\\uff41\\ud835\\udc1agpu\\u20111"],
  [
    "marks without a letter, and too many of them",
    "\u0301x\u0327\u0327\u0327\u0327",
    "\\u0301x\u0327\u0327\u0327\\u0327",
  ],
  ["blanks that are no spaces", "a\u2800b\u3164c", "a\\u2800b\\u3164c"],
])("people see %s", (_, text, shown) => {
  expect([visible(text), isVisible(text)]).toEqual([shown, false]);
  expect(visibleLines(text.replace(/[\n ]/g, ""))).toBe(shown.replace(/\\n|\\u0020|\s/g, ""));
});

test("a text of one's own script stays as it is", () => {
  for (const text of [
    "größe-日本（一）",
    "café",
    "сервер-gpu1",
    "с GPU всё",
    "นำ้",
    "שלום",
    "한국",
    "µs 10–20 °C",
    "⚠ GPU",
  ]) {
    expect(visible(text)).toBe(text);
  }
});

test("nothing more is to be escaped in what people see, JSON keeps its values, and two different names never look alike by it", () => {
  const odd = fc.constantFrom(
    "\u202e",
    "e",
    "\u0301",
    "\u00e9",
    "\u200b",
    " ",
    "\u00a0",
    "\n",
    "\t",
    "a",
    "\u0430",
    '"',
    "\ud800",
  );
  const text = fc.string({ unit: fc.oneof(odd, fc.string({ unit: "binary", minLength: 1, maxLength: 1 })) });
  fc.assert(
    fc.property(text, text, (one, other) => {
      const shown = visible(one);
      expect([visible(shown), visibleLines(shown)]).toEqual([shown, shown]);
      expect(JSON.parse(visibleLines(JSON.stringify({ [one]: one })))).toEqual({ [one]: one });
      const isSame =
        !one.includes("\\") && !other.includes("\\") && visible(other).normalize("NFC") === shown.normalize("NFC");
      if (isSame) expect(other).toBe(one);
    }),
    { numRuns: 500 },
  );
});
