import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");
const packageDir = join(root, "clients/typescript");
const modules = join(root, "node_modules");

/** A separate project with the client installed from its packed archive. */
export interface ConsumerProject {
  readonly dir: string;
  /** Writes a file of the project. */
  write(name: string, text: string): Promise<void>;
  /** Runs the compiler.
   *  @returns its exit status and everything that it printed */
  compile(): Promise<{ readonly status: number; readonly output: string }>;
  /** Finds the errors that `compile` finds, in a tenth of its time: by TypeScript 7, and without output. */
  check(): Promise<{ readonly status: number; readonly output: string }>;
  /** Runs a compiled file with Node.
   *  @returns its exit status and everything that it printed */
  run(name: string, ...args: string[]): Promise<{ readonly status: number; readonly output: string }>;
  remove(): Promise<void>;
}

/** Strict options. With skipLibCheck off, the package's own declarations are checked too. */
const compilerOptions = {
  ...{ target: "ES2023", module: "NodeNext", lib: ["ES2023", "DOM", "DOM.Iterable"], types: [], outDir: "out" },
  ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
  ...{ noUnusedLocals: true, noUnusedParameters: true, noImplicitOverride: true, verbatimModuleSyntax: true },
};

/** Packs the client, and creates a project with the client and its dependencies, without using the network.
 *  @throws Error with the output of a command that fails */
export async function makeConsumerProject(): Promise<ConsumerProject> {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-consumer-"));
  const installed = join(dir, "node_modules/gpu-telemetry-client");
  await mkdir(installed, { recursive: true });
  // packs a copy, so that the build writes nothing into the checkout
  const copy = join(dir, "packing");
  await cp(packageDir, copy, { recursive: true, filter: (path) => !/\/(dist|node_modules)(\/|$)/.test(path) });
  await symlink(modules, join(copy, "node_modules"));
  expectSuccess(await runIn(copy, ["bun", "pm", "pack", "--filename", join(dir, "client.tgz")]));
  expectSuccess(await runIn(dir, ["tar", "-xzf", "client.tgz", "-C", installed, "--strip-components=1"]));
  for (const name of ["openapi-fetch", "openapi-typescript-helpers"]) {
    await symlink(join(modules, name), join(dir, "node_modules", name));
  }
  const write = async (name: string, text: string): Promise<void> => void (await Bun.write(join(dir, name), text));
  await write("package.json", JSON.stringify({ name: "consumer", type: "module", private: true }));
  await write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  return {
    dir,
    write,
    compile: () => runIn(dir, [process.execPath, join(modules, "typescript/bin/tsc")]),
    check: () => runIn(dir, [process.execPath, join(modules, "typescript-native/bin/tsc"), "--noEmit"]),
    run: (name, ...args) => runIn(dir, ["node", join("out", name), ...args]),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

async function runIn(cwd: string, command: string[]): Promise<{ status: number; output: string }> {
  const [program = "", ...args] = command;
  const started = Bun.spawn([program === "bun" ? process.execPath : program, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const [out, errors] = await Promise.all([new Response(started.stdout).text(), new Response(started.stderr).text()]);
  return { status: await started.exited, output: out + errors };
}

function expectSuccess({ status, output }: { status: number; output: string }): void {
  if (status !== 0) throw new Error(output);
}
