import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

/** The parts of a checkout that the program and its commands need. */
const copied = [
  "clients",
  "docs/security.md", // generate:client writes its table of access
  "drizzle",
  "scripts",
  "src",
  "drizzle.config.ts",
  "package.json",
  "tsconfig.json",
];

/** A copy of this checkout that a test may change. */
export interface CheckoutCopy {
  readonly dir: string;
  /** Replaces a text that occurs once in a file. @throws Error if it does not occur exactly once */
  replace(path: string, text: string, replacement: string): Promise<void>;
  /** Runs a command in the copy. @returns the command's standard output
   *  @throws Error with all output if the command fails or takes longer than 60 s */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  remove(): Promise<void>;
}

/** Copies the program, its migrations, scripts and clients into a temporary folder; node_modules is a link. */
export async function copyCheckout(): Promise<CheckoutCopy> {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-checkout-"));
  await Promise.all(copied.map((name) => cp(join(root, name), join(dir, name), { recursive: true })));
  await symlink(join(root, "node_modules"), join(dir, "node_modules"));
  return {
    dir,
    replace: async (path, text, replacement) => {
      const parts = (await Bun.file(join(dir, path)).text()).split(text);
      if (parts.length !== 2)
        throw new Error(`${path} contains ${JSON.stringify(text)} ${parts.length - 1} times, not once`);
      await Bun.write(join(dir, path), parts.join(replacement));
    },
    run: (command, env = {}) => runIn(dir, command, env),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

async function runIn(
  cwd: string,
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = Bun.spawn([program === "bun" ? process.execPath : program, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${[program, ...args].join(" ")}:\n${output}${errors}`);
  return output;
}
