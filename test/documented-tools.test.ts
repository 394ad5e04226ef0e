import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commandsOf, linksOf } from "../scripts/check-docs/read-docs.ts";

const root = join(import.meta.dir, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

// `bun scripts/check-docs.ts` runs the commands of each page, but only those of bash blocks
test("each page about how to use or feed the pipeline has commands that start it, and then ask or send something", () => {
  const [, pages = ""] = /^\| \*\*To use it\*\*(.*?)^\| \*\*To run it\*\*/ms.exec(read("README.md")) ?? [];
  const paths = linksOf(pages).map(({ path }) => path);
  expect(paths.length).toBeGreaterThanOrEqual(19);
  const without = paths.filter((path) => {
    const commands = commandsOf(read(path)).map(({ text }) => text);
    const start = commands.findIndex((text) => /bun run (?:dev|services)$/.test(text));
    return start === -1 || !commands.slice(start + 1).some((text) => /\b(?:curl|wscat|bun run telemetry)\b/.test(text));
  });
  expect(without).toEqual([]);
});
