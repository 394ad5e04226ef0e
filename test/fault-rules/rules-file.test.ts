import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidConfig } from "../../src/domain/errors.ts";
import type { Rule } from "../../src/faults/rules/rule.ts";
import { RulesInForce } from "../../src/faults/rules/rules-in-force.ts";
import { rules as defaults } from "./scripted-fleet.ts";

let folder: string;
let path: string;
const told: string[] = [];
const log = {
  info: (text: unknown) => void told.push(`info: ${String(text)}`),
  warn: (text: unknown) => void told.push(`warn: ${String(text)}`),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fault-rules-"));
  path = join(folder, "rules.yaml");
});
afterAll(() => rm(folder, { recursive: true }));

const hot = (rules: readonly Rule[]): unknown => {
  const rule = rules.find(({ id }) => id === "gpu.temperature.high");
  return rule?.kind === "threshold" ? rule.above : undefined;
};

test("without a file, the default rules are in force", async () => {
  const rules = await RulesInForce.open(undefined, log);
  expect(await rules.read()).toEqual(defaults);
  expect(rules.changes()).toEqual([]);
});

test("a file is read at the start and when it changes; while it cannot be used, the rules of its last reading stay", async () => {
  await writeFile(path, "gpu.temperature.high: { above: 90, resolve: 86 }");
  const rules = await RulesInForce.open(path, log);
  const first = await rules.read();
  expect(hot(first)).toBe(90);
  expect(await rules.read()).toBe(first);
  expect(told).toEqual([]);

  await writeFile(path, "gpu.temperature.high: { above: hot }");
  for (let time = 0; time < 3; time += 1) expect(await rules.read()).toBe(first);
  expect(rules.unused).toContain('field above: "hot"; expected a number');
  await rm(path);
  expect(await rules.read()).toBe(first);
  expect(rules.unused).toContain("ENOENT");
  await writeFile(path, "gpu.temperature.high: { above: 92 }\nheld.idle: { enabled: false }");
  expect(hot(await rules.read())).toBe(92);
  await writeFile(path, "");
  expect(await rules.read()).toEqual(defaults);
  const unused = "warn: FAULT_RULES_FILE is not used; the rules of its last reading stay:";
  expect(told).toEqual([
    `${unused} ${path}: rule gpu.temperature.high: field above: "hot"; expected a number`,
    `${unused} ENOENT: no such file or directory, stat '${path}'`,
    "info: FAULT_RULES_FILE has changed: gpu.temperature.high: above 92 (85); held.idle: enabled false (unset)",
    "info: FAULT_RULES_FILE has changed: no rule",
  ]);
});

test("a file that was away for a moment is used again when it is back as it was", async () => {
  told.length = 0;
  await writeFile(path, "gpu.temperature.high: { above: 90, resolve: 86 }");
  const rules = await RulesInForce.open(path, log);
  const first = await rules.read();
  await rm(path);
  expect(await rules.read()).toBe(first);
  await writeFile(path, "gpu.temperature.high: { above: 90, resolve: 86 }");
  expect(await rules.read()).toBe(first);
  expect(rules.unused).toBeUndefined();
  expect(told.at(-1)).toBe("info: FAULT_RULES_FILE is used again");
});

test("what is not YAML is one error, with its place", async () => {
  await writeFile(path, "held.idle: { enabled: false }\nheld.idle: [");
  await expect(RulesInForce.open(path, log)).rejects.toThrow(/is not YAML: [^\n]+ at line \d+, column \d+$/);
});

test("a file that cannot be used at the start is an error of the configuration, with every field that is wrong", async () => {
  await writeFile(path, "gpu.temperature.high: { abve: 80 }\nheld.idl: {}");
  const opening = RulesInForce.open(path, log);
  await expect(opening).rejects.toBeInstanceOf(InvalidConfig);
  await expect(opening).rejects.toThrow(
    [
      `- FAULT_RULES_FILE: ${path}: rule gpu.temperature.high: field abve: 80; there is no such field, expected above`,
      `  - FAULT_RULES_FILE: ${path}: rule held.idl: no rule has this id; expected held.idle`,
    ].join("\n"),
  );
  await expect(RulesInForce.open(join(folder, "none.yaml"), log)).rejects.toThrow("FAULT_RULES_FILE: ENOENT");
});

test("bun run config shows what the file changes, or what is wrong with it", async () => {
  const config = (): { out: string; error: string; status: number } => {
    const env = { PATH: process.env["PATH"], FAULT_RULES_FILE: path };
    const { stdout, stderr, exitCode } = Bun.spawnSync(["bun", "scripts/config.ts"], { env });
    return { out: stdout.toString(), error: stderr.toString(), status: exitCode };
  };
  await writeFile(path, "gpu.temperature.high: { above: 90, for_seconds: 600 }");
  expect(config().out).toContain(
    "FAULT_RULES_FILE changes these rules (defaults in parentheses):\n  gpu.temperature.high: above 90 (85), for_seconds 600 (300)",
  );
  await writeFile(path, "gpu.temperature.high: { for_seconds: 1.5 }");
  const { error, status } = config();
  expect(status).toBe(1);
  expect(error).toContain(
    "rule gpu.temperature.high: field for_seconds: 1.5; expected a whole number from 0 to 2678400",
  );
});
