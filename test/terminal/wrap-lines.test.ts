import { expect, test } from "bun:test";
import { wrapLines } from "../../src/terminal/wrap-lines.ts";

test("a list of commands goes on under its explanations, and a sentence under its beginning", () => {
  const text =
    "  scale-local           so many processes of each role (INSTANCES, CSV_FILE)\nEach is make NAME or bun run NAME";
  expect(wrapLines("Each is make NAME or bun run NAME", 30)).toBe("Each is make NAME or bun run\nNAME");
  expect(wrapLines(text, 60).split("\n")).toEqual([
    "  scale-local           so many processes of each role",
    "                        (INSTANCES, CSV_FILE)",
    "Each is make NAME or bun run NAME",
  ]);
});

test("a word that is longer than the terminal is wide stays whole, and lines in a pipe stay as they are", () => {
  const url = `see ${"x".repeat(80)}`;
  expect(wrapLines(url, 60)).toBe(`see\n${"x".repeat(80)}`);
  expect(wrapLines("x".repeat(80), 60)).toBe("x".repeat(80));
  expect(wrapLines(url, undefined)).toBe(url);
});

test("a line that fits exactly is not broken", () => {
  expect(wrapLines("a".repeat(30) + " " + "b".repeat(29), 60)).not.toContain("\n");
});

test("a word that is wider than the terminal has a line of its own, and the rest breaks between words", () => {
  const url = `http://localhost:8080/${"x".repeat(30)}`;
  expect(wrapLines(`GET ${url} got no answer: nothing listens there`, 30).split("\n")).toEqual([
    ...["GET", url, "got no answer: nothing listens", "there"],
  ]);
});

test("on a terminal that does not tell its width, or is hardly one, lines stay as they are", () => {
  for (const width of [0, 1, 5])
    expect(wrapLines("errors:\n  - PORT=x is not usable", width)).toBe("errors:\n  - PORT=x is not usable");
});
