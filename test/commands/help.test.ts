import { expect, test } from "bun:test";
import { scripts } from "../../package.json";
import { commandGroups } from "../../scripts/help/command-groups.ts";

const root = `${import.meta.dir}/../..`;
const run = (...command: string[]) => Bun.spawnSync(command, { cwd: root });

test("the help has every script of package.json once", () => {
  const names = commandGroups.flatMap(({ commands }) => Object.keys(commands));
  expect(names.toSorted()).toEqual(Object.keys(scripts).toSorted());
});

test("the help fits 80 columns", () => {
  const lines = run(process.execPath, "scripts/help.ts").stdout.toString().split("\n");
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test.skipIf(Bun.which("make") === null)("make passes variables on, before and after the target", () => {
  for (const command of ["PORT=1 make config", "make config PORT=1"]) {
    expect(run("sh", "-c", `${command} | grep ' PORT '`).stdout.toString()).toMatch(/PORT\s+1\s/);
  }
});

test.skipIf(Bun.which("make") === null)("make test, make lint and make deps run what CI runs", async () => {
  const stages = await Bun.file(`${root}/.ci/run`).text();
  expect(stages).toContain(`stage install 300 ${scripts.deps}\n`);
  expect(stages).toMatch(/^(?:quiet_)?stage lint \d+ bun run lint$/m);
  expect(stages).toMatch(/ bun run test --reporter/);
  // test is also the name of a folder
  for (const target of ["test", "lint", "deps"]) {
    expect(run("make", "BUN=echo", target).stdout.toString()).toBe(`scripts/make-target.ts ${target}\n`);
  }
});

test.skipIf(Bun.which("make") === null)("make refuses an unknown target in one sentence", () => {
  for (const target of ["nonsense", "eslint", "k8s-nonsense", "docker-nonsense"]) {
    const { exitCode, stderr } = run("make", target);
    expect([target, exitCode]).toEqual([target, 2]);
    expect(stderr.toString().split("\n")[0]).toStartWith(`make ${target} does not exist`);
  }
});
