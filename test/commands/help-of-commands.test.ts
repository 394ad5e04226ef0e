import { expect, setDefaultTimeout, test } from "bun:test";
import { basename, dirname } from "node:path";
import { scripts, version } from "../../package.json";

setDefaultTimeout(60_000);

const root = `${import.meta.dir}/../..`;

/** The programs of this repository that scripts of package.json run, each with the name of a script. */
const programs = new Map(
  Object.entries(scripts).flatMap(([name, script]) => {
    const [, command = ""] = /(?:^|&& )bun ((?:scripts|src|test)\/.*)$/.exec(script) ?? [];
    return command === "" ? [] : [[command.split(" ")[0], { name, command }] as const];
  }),
);

/** The other programs in scripts/, but that of make's targets, which has options of its own. */
const others = [...new Bun.Glob("scripts/*.ts").scanSync(root), ...new Bun.Glob("scripts/*.sh").scanSync(root)].filter(
  (path) => !programs.has(path) && path !== "scripts/make-target.ts",
);

/** What a command prints for an option, and how it ends. */
async function answerOf(command: string, option: string) {
  const program = command.endsWith(".sh") ? "/bin/sh" : process.execPath;
  const child = Bun.spawn([program, ...command.split(" "), option], {
    cwd: root,
    // nothing that a command could start, stop or change
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
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

test("every other program in scripts/ says what it does for --help, and does nothing else", async () => {
  const answers = others.map(async (path) => {
    const { said, errors, code } = await answerOf(path, "--help");
    return [path, code, errors, said.includes(basename(path).replace(/\.ts$/, ""))];
  });
  expect(others.length).toBeGreaterThan(8);
  expect(await Promise.all(answers)).toEqual(others.map((path) => [path, 0, "", true]));
});

test("a document that does not exist is named, without a stack", async () => {
  const { errors, code } = await answerOf("scripts/check-docs.ts", "docs/nonsense.md");
  expect([code, errors.split("\n").length]).toEqual([1, 2]);
  expect(errors).toStartWith("docs/nonsense.md does not exist");
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
