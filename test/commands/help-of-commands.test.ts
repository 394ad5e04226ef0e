import { expect, setDefaultTimeout, test } from "bun:test";
import { scripts, version } from "../../package.json";

setDefaultTimeout(60_000);

/** The programs of this repository that scripts of package.json run, each with the name of a script. */
const programs = new Map(
  Object.entries(scripts).flatMap(([name, script]) => {
    const [, command = ""] = /(?:^|&& )bun ((?:scripts|src|test)\/.*)$/.exec(script) ?? [];
    return command === "" ? [] : [[command.split(" ")[0], { name, command }] as const];
  }),
);

/** What a command prints for an option, and how it ends. */
async function answerOf(command: string, option: string) {
  const child = Bun.spawn([process.execPath, ...command.split(" "), option], {
    cwd: `${import.meta.dir}/../..`,
    // nothing that a command could start, stop or change
    env: {},
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 50_000,
  });
  const [said, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { said, errors, code: child.exitCode };
}

test("every command says what it does for --help, and does nothing else", async () => {
  const answers = [...programs.values()].map(async ({ name, command }) => {
    const { said, errors, code } = await answerOf(command, "--help");
    return [name, code, errors, /^ +bun run |^Usage: |^Set up$/m.test(said)];
  });
  expect(programs.size).toBeGreaterThan(20);
  expect(await Promise.all(answers)).toEqual([...programs.values()].map(({ name }) => [name, 0, "", true]));
});

test("the commands that people type most say their version, and do nothing else", async () => {
  const files = [
    "src/main",
    "scripts/telemetry",
    "scripts/simulate",
    "scripts/verify",
    "scripts/db-repair",
    "scripts/simulate-scaling",
  ];
  const answers = files.map((file) => answerOf(`${file}.ts`, "--version"));
  expect(await Promise.all(answers)).toEqual(files.map(() => ({ said: `${version}\n`, errors: "", code: 0 })));
});

test("the pipeline does not start with an argument that would have no effect", async () => {
  const { errors, code } = await answerOf("src/main.ts", "--port=9090");
  expect(code).toBe(1);
  expect(errors).toContain("the argument --port=9090 is not usable");
});
