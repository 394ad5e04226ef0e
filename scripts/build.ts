import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Checks what a compiler would check: the types, and that the program and its own imports can be put into one bundle.
  bun run build-nexus
  bun run build-enhanced    the same
Bun runs the TypeScript as it is, so nothing is compiled. Exits with 1 if a check fails.`;

const root = resolve(import.meta.dir, "..");

async function checkTypes(): Promise<string> {
  const compiler = Bun.spawn([process.execPath, "run", "--silent", "typecheck"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([compiler.stdout.text(), compiler.stderr.text()]);
  if ((await compiler.exited) !== 0) throw new Error(`${output}${errors}`.trim());
  return "no errors";
}

async function checkBundle(): Promise<string> {
  // packages stay outside: drizzle imports drivers of databases that are not used and not installed
  const { outputs } = await Bun.build({
    entrypoints: [join(root, "src/main.ts")],
    target: "bun",
    packages: "external",
  });
  const bytes = outputs.reduce((sum, { size }) => sum + size, 0);
  return `src/main.ts with its imports: ${Math.round(bytes / 1024)} KiB`;
}

const checks = { types: checkTypes, bundle: checkBundle };

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
if (!existsSync(join(root, "node_modules"))) {
  printError("The packages are not installed: run make deps, or bun install");
  process.exit(1);
}
print("Bun runs the TypeScript as it is, so nothing is compiled. Checks:");
for (const [name, check] of Object.entries(checks)) {
  try {
    print(`  ${name.padEnd(8)}ok      ${await check()}`);
  } catch (error) {
    print(`  ${name.padEnd(8)}FAILED\n${String((error as Error).message)}`);
    process.exitCode = 1;
  }
}
