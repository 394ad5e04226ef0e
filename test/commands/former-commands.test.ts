import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { chartTool } from "../chart/chart-tools.ts";
import { type KubernetesObject, member, objectOf, templateOf } from "../chart/render-chart.ts";
import { readmeSections } from "../support/readme-commands.ts";

// docs/ENHANCEMENTS.md says of every command of the former system's README what tries it, or why nothing does.

// helm is unpacked by the first test that needs it
setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");

/** A row of the tables: the commands that it is about, and what it says of them. */
interface Row {
  readonly texts: readonly string[];
  readonly rest: string;
}

const page = readFileSync(join(root, "docs/ENHANCEMENTS.md"), "utf8");
const tables = /<!-- the former commands -->(.*)<!-- end -->/s.exec(page)?.[1] ?? "";
const rows: readonly Row[] = [...tables.matchAll(/^\| (`.*?) \| (.*) \|$/gm)].map(([, first = "", rest = ""]) => ({
  texts: [...first.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text),
  rest,
}));

/** `…` stands for any text. */
const isAbout = (text: string, command: string): boolean =>
  new RegExp(`^${text.split("…").map(RegExp.escape).join(".*")}$`, "s").test(command);

/** The commands without the bodies of queries and messages, which the README has between braces. */
function typedIn(lines: readonly string[]): string[] {
  let depth = 0;
  return lines.filter((line) => {
    const isBody = depth > 0 || line === "{";
    if (isBody) depth += line.split(/[{[]/).length - line.split(/[}\]]/).length;
    return !isBody;
  });
}

const commands = (readmeSections ?? []).flatMap(({ commands: lines }) => typedIn(lines));

test("the tables name files that exist", () => {
  const paths = rows.flatMap(({ rest }) =>
    [...rest.matchAll(/`((?:test|docs)\/[^`]+)`/g)].map(([, path = ""]) => path),
  );
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe.skipIf(readmeSections === undefined)("the former README", () => {
  test("has no command that the tables lack, and the tables have none that it lacks", () => {
    expect(commands.length).toBeGreaterThan(100);
    const texts = rows.flatMap((row) => row.texts);
    expect(commands.filter((command) => !texts.some((text) => isAbout(text, command)))).toEqual([]);
    expect(texts.filter((text) => !commands.some((command) => isAbout(text, command)))).toEqual([]);
  });

  test("helm and kubectl take its commands, and the chart makes the objects that they name", () => {
    const upgrade = commands.filter((command) => command.startsWith("helm upgrade "));
    expect(upgrade.length).toBe(1);
    const rendered = parseAllDocuments(type(upgrade[0]?.replace("helm upgrade", "helm template") ?? ""));
    const objects = rendered.flatMap((document) => (document.toJS() as KubernetesObject | null) ?? []);
    expect(member(objectOf(objects, "Deployment", "nexus-streamer"), "spec.replicas")).toBe(5);
    const asked = commands.flatMap((command) => questionOf(command) ?? []);
    expect(asked.length).toBeGreaterThan(3);
    for (const { command, fits } of asked) expect([command, objects.some(fits)]).toEqual([command, true]);
    expect(type("kubectl version --client")).toMatch(/Client Version: v1/);
    expect(type("helm version")).toMatch(/Version:"v/);
  });
});

/** The output of a command that succeeds, with helm and kubectl of the tests. */
function type(command: string): string {
  const script = command.replace(/^(helm|kubectl)\b/, (name) => `'${chartTool(name as "helm" | "kubectl")}'`);
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "-c", script], { cwd: root });
  expect([command, exitCode, exitCode === 0 ? "" : stderr.toString()]).toEqual([command, 0, ""]);
  return stdout.toString();
}

interface Question {
  readonly command: string;
  /** True for an object that the command is about. */
  readonly fits: (object: KubernetesObject) => boolean;
}

function isNamed(object: KubernetesObject, kind: string, name: string): boolean {
  return object.kind === kind && object.metadata.name === name;
}

/** What a command of kubectl needs to find; undefined if it names no object of the chart. */
function questionOf(command: string): Question | undefined {
  const [, deployment] = /^kubectl (?:scale deployment |logs .*deployment\/)(\S+)/.exec(command) ?? [];
  if (deployment !== undefined) return { command, fits: (object) => isNamed(object, "Deployment", deployment) };
  const [, service] = /^kubectl get svc (\S+)/.exec(command) ?? [];
  if (service !== undefined) return { command, fits: (object) => isNamed(object, "Service", service) };
  const [, label = "", value] = /^kubectl logs .*-l (\S+)=(\S+)/.exec(command) ?? [];
  if (value === undefined) return undefined;
  return { command, fits: (object) => templateOf(object)?.metadata.labels[label] === value };
}
