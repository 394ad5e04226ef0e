import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/kit/message-of.ts";
import { print } from "../../src/terminal/print.ts";
import { runCommand, toolFolder } from "./cache-folder.ts";
import type { Column, Digests } from "./columns.ts";

const packages = ["pandas==3.1.1", "pyarrow==26.0.1"];

/** What pandas is to read: files, and the conditions for it. */
export interface PandasTask {
  readonly path: string;
  /** Compared in the files' partitions, or in columns. */
  readonly filters: readonly (readonly [string, string, string])[];
  readonly columns: readonly Column[];
}

/** What pandas has read. */
export interface PandasAnswer extends Digests {
  readonly types: Readonly<Record<string, string>>;
}

/** A Python process that answers one task after the other. */
export interface Pandas {
  read(task: PandasTask): Promise<PandasAnswer>;
  readonly version: string;
  close(): Promise<void>;
}

/** Opens pandas; the first time, it is installed into the cache.
 *  @returns undefined where that is not possible, after saying why */
export async function openPandas(): Promise<Pandas | undefined> {
  const python = Bun.which("python3");
  if (python === null) {
    print("pandas is not compared: there is no python3 on this machine");
    return undefined;
  }
  try {
    return await startPandas(await installed(python));
  } catch (error) {
    print(`pandas is not compared: ${messageOf(error)}`);
    return undefined;
  }
}

async function installed(python: string): Promise<string> {
  const folder = toolFolder(packages.join("-").replaceAll("==", "-"));
  const own = join(folder, "bin", "python3");
  const mark = join(folder, "installed");
  if (existsSync(mark)) return own;
  await runCommand([python, "-m", "venv", folder], folder);
  await runCommand([own, "-m", "pip", "install", "--quiet", ...packages], folder);
  await Bun.write(mark, "");
  return own;
}

async function startPandas(python: string): Promise<Pandas> {
  const script = join(import.meta.dir, "pandas_digests.py");
  const child = Bun.spawn([python, script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const lines = linesOf(child.stdout);
  const next = async (): Promise<string> => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error("the process of pandas has ended; its error is above");
    return value;
  };
  return {
    version: await next(),
    read: async (task) => {
      void child.stdin.write(`${JSON.stringify(task)}\n`);
      await child.stdin.flush();
      return JSON.parse(await next()) as PandasAnswer;
    },
    close: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
