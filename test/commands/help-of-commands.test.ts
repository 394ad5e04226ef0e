import { expect, setDefaultTimeout, test } from "bun:test";
import { scripts } from "../../package.json";

setDefaultTimeout(60_000);

/** The programs of this repository that scripts of package.json run, each with the name of a script. */
const programs = new Map(
  Object.entries(scripts).flatMap(([name, script]) => {
    const [, command = ""] = /(?:^|&& )bun ((?:scripts|src|test)\/.*)$/.exec(script) ?? [];
    return command === "" ? [] : [[command.split(" ")[0], { name, command }] as const];
  }),
);

test("every command says what it does for --help, and does nothing else", async () => {
  const answers = [...programs.values()].map(async ({ name, command }) => {
    const child = Bun.spawn([process.execPath, ...command.split(" "), "--help"], {
      cwd: `${import.meta.dir}/../..`,
      // nothing that a command could start, stop or change
      env: {},
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 50_000,
    });
    const [said, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return [name, child.exitCode, errors, /^ +bun run |^Usage: |^Set up$/m.test(said)];
  });
  expect(programs.size).toBeGreaterThan(20);
  expect(await Promise.all(answers)).toEqual([...programs.values()].map(({ name }) => [name, 0, "", true]));
});
