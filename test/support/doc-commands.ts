import { join } from "node:path";
import { commandsOf } from "../../scripts/check-docs/read-docs.ts";

const docs = join(import.meta.dir, "../../docs");

/** The command lines under a heading of a document in docs/.
 *  @throws Error if the document has no such heading */
export async function commandsUnder(document: string, heading: string): Promise<string[]> {
  const text = await Bun.file(join(docs, document)).text();
  const section = text.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`${document} has no section ${heading}`);
  return commandsOf(section).map((command) => command.text);
}

/** Runs commands in one shell, which ends at the first error.
 *  @param options `tools` defines shell functions that the commands may call
 *  @throws Error with the commands and their output if one fails */
export async function runCommands(
  folder: string,
  commands: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly tools: string },
): Promise<void> {
  const child = Bun.spawn(["bash", "-euc", `${options.tools}\n${commands.join("\n")}`], {
    ...{ cwd: folder, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...options.env },
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${commands.join("\n")}\n${output}${errors}`);
}
