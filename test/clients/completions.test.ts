import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTelemetry } from "./run-telemetry.ts";

const scriptOf = async (shell: string): Promise<string> => (await runTelemetry(0, ["completions", shell])).text;

/** Runs a shell with a script and then lines of its own, and returns what it prints. */
async function runIn(shell: readonly string[], script: string, lines: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "completions-"));
  try {
    const file = join(folder, "script");
    await Bun.write(file, script);
    const child = Bun.spawn([...shell, "-c", `source ${file}\n${lines}`], {
      env: { PATH: process.env["PATH"], HOME: folder },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 20_000,
    });
    const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(errors).toBe("");
    return text.split("\n").filter((line) => line !== "");
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each line of words with what completes its last word, which may be empty. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ["telemetry fau", ["faults"]],
  ["telemetry faults ru", ["rules"]],
  ["telemetry --json dead-letters re", ["redrive"]],
  ["telemetry gpus --state ", ["active", "decommissioned", "maintenance"]],
  ["telemetry gpus --sta", ["--state"]],
  ["telemetry completions ", ["bash", "fish", "zsh"]],
];

test("bash completes commands, options and known values, and telemetry runs from any folder", async () => {
  const script = await scriptOf("bash");
  const bash = ["bash", "--noprofile", "--norc"];
  for (const [line, expected] of cases) {
    const words = line.split(" ").map((word) => `"${word}"`);
    const lines = `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _telemetry; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const completed = (await runIn(bash, script, lines)).filter(
      (word) => expected[0] === "--state" || !word.startsWith("-"),
    );
    expect([line, completed.sort()]).toEqual([line, [...expected].sort()]);
  }
  expect((await runIn(bash, script, "telemetry completions --help"))[0]).toStartWith("Usage: telemetry completions");
});

// a shell that is not installed cannot be asked
test.skipIf(Bun.which("fish") === null)("fish completes the same", async () => {
  const script = await scriptOf("fish");
  for (const [line, expected] of cases) {
    const completed = await runIn(["fish", "--no-config"], script, `complete -C '${line}'`);
    expect([line, completed.map((each) => each.split("\t")[0])]).toEqual([line, [...expected]]);
  }
});

test.skipIf(Bun.which("zsh") === null)("zsh reads its script, and knows the function", async () => {
  const script = await scriptOf("zsh");
  expect(await runIn(["zsh", "-f"], script, "print ${_comps[telemetry]}")).toEqual(["_telemetry"]);
});

test("an unknown shell is refused with the known ones", async () => {
  const { status, errors } = await runTelemetry(0, ["completions", "csh"]);
  expect([status, errors.includes("bash, zsh, fish")]).toEqual([1, true]);
});
