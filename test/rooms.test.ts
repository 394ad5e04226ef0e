import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json";

// docs/ARCHITECTURE.md has tables of the rooms and of the packages. They name every room and package that exists, and no other.

const root = join(import.meta.dir, "..");
const page = readFileSync(join(root, "docs/ARCHITECTURE.md"), "utf8");
const contributing = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");

/** The first cell of each row in the table whose header begins with this text, without backquotes. */
function firstCells(header: string): string[] {
  const [, table = ""] = page.split(`| ${header} |`);
  const rows = table.split("\n").slice(2);
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows.slice(0, end).map((row) => (row.split("|")[1] ?? "").trim().replaceAll("`", ""));
}

function foldersIn(path: string): string[] {
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

describe("the rooms", () => {
  for (const [path, maxRooms] of [
    ["src", Infinity],
    ["src/pipeline", 8],
    ["src/routes", 10],
  ] as const) {
    test(`of ${path}/ are those that the page names`, () => {
      expect(firstCells(`room of \`${path}/\``).sort()).toEqual(foldersIn(path).sort());
    });

    test(`of ${path}/ are within their limit, and no unexpected file is next to them`, () => {
      const files = readdirSync(join(root, path)).filter((name) => name.endsWith(".ts"));
      expect(files.sort()).toEqual(path === "src" ? ["app.ts", "main.ts"] : []);
      expect(foldersIn(path).length).toBeLessThanOrEqual(maxRooms);
    });
  }
});

for (const [name, text] of [
  ["docs/ARCHITECTURE.md", page],
  ["CONTRIBUTING.md", contributing],
] as const) {
  test(`every path under src, dev, test, scripts or bench in ${name} exists`, () => {
    const paths = [...text.matchAll(/`((?:src|dev|test|scripts|bench)\/[\w./-]*)`/g)].map(([, path = ""]) => path);
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
}

test("docs/ARCHITECTURE.md gives a reason for every package of package.json, and for no other", () => {
  const section = page.split("## Dependencies")[1] ?? "";
  const named = [...section.matchAll(/^\| (?!package|---)([^|]+) \|/gm)].flatMap(([, names = ""]) => names.split(", "));
  const packages = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  expect(named.sort()).toEqual(packages.sort());
});

test("every noun of the API is in the list of resources", () => {
  const list = readFileSync(join(root, "src/routes/resources/resources.ts"), "utf8");
  for (const noun of foldersIn("src/routes/resources")) expect(list).toContain(`from "./${noun}/${noun}.ts"`);
});
