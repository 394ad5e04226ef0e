import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { importedBy } from "../../scripts/run-tests/imports.ts";

// What the Dockerfile says, as far as it can be judged without a build. test/containers/run.ts builds it.

const root = join(import.meta.dir, "../..");
const stages = readFileSync(join(root, "Dockerfile"), "utf8")
  .replaceAll("\\\n", " ")
  .split(/^(?=FROM )/m)
  .slice(1)
  .map((text) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#")));
const image = stages.at(-1) ?? [];

/** The arguments of an instruction of the image's stage, once for each time that it is there. */
const given = (instruction: string): string[] =>
  image.flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1).trim()] : []));

/** The files and folders of the checkout that a stage copies. */
const copiedBy = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const words = line.split(/\s+/);
    return words[0] === "COPY" && !line.includes("--from=") ? words.slice(1, -1) : [];
  });

test("the image runs as a user by number, has a health check and labels, and ends by SIGTERM", () => {
  expect(given("USER")).toEqual(["1000:1000"]);
  expect(given("STOPSIGNAL")).toEqual(["SIGTERM"]);
  expect(given("HEALTHCHECK")[0]).toMatch(/ CMD \["bun", "scripts\/is-ready\.ts"\]$/);
  expect(given("CMD")).toEqual(['["bun", "src/main.ts"]']);
  const labels = [...(given("LABEL")[0] ?? "").matchAll(/org\.opencontainers\.image\.([a-z.]+)="([^"]*)"/g)];
  expect(labels.map(([, name]) => name)).toEqual([
    ...["title", "description", "licenses", "version", "revision", "base.name"],
  ]);
  expect(labels.find(([, name]) => name === "base.name")?.[2]).toBe(image[0]?.split(" ")[1] ?? "");
  expect(given("ARG")[0]).toBe(`VERSION=${version}`);
});

test("the image installs nothing: only the stages before it do", () => {
  expect(given("RUN").filter((command) => !command.startsWith("install --directory "))).toEqual([]);
  const installs = stages.flatMap((lines) => lines.filter((line) => line.includes("bun install")));
  expect(installs.length).toBe(2);
  expect(installs.filter((line) => !/--frozen-lockfile .*--ignore-scripts/.test(line))).toEqual([]);
});

test("what is copied exists, and .dockerignore lets it through", () => {
  const allowed = readFileSync(join(root, ".dockerignore"), "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  for (const path of stages.flatMap(copiedBy)) {
    expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    expect([path, allowed.some((one) => path === one || path.startsWith(`${one}/`))]).toEqual([path, true]);
  }
  expect(allowed.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("the image has every module that its programs import", () => {
  const copied = copiedBy(image);
  const programs = copied.filter((path) => path.endsWith(".ts"));
  expect(programs.length).toBeGreaterThan(5);
  const needed = importedBy(
    root,
    [...programs, "src/main.ts", "src/db/run-pglite.ts", "src/db/make-database.ts"],
    () => true,
  );
  const missing = [...needed].filter((path) => !copied.some((one) => path === one || path.startsWith(`${one}/`)));
  expect(missing).toEqual([]);
});
