import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../dev/servers/trixie.ts";

/** A folder for a tool, which stays for the next run. */
export function toolFolder(name: string): string {
  const folder = join(cacheFolder(), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs a command. @throws Error with its last lines */
export async function runCommand(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code === 0) return;
  throw new Error(`${command.join(" ")} ended with ${code}: ${errors.trim().split("\n").slice(-3).join(" ")}`);
}
