import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** The folders of a process have its id in their names. */
const name = /^gpu-telemetry-push-(\d+)-/;

/** Makes a folder for the body of a push. Its name cannot be guessed, because other users of the machine may write to the same parent.
 *  @param parent a folder for temporary files
 *  @throws the errors of the file system */
export function makeSpoolFolder(parent: string): Promise<string> {
  return mkdtemp(join(parent, `gpu-telemetry-push-${process.pid}-`));
}

/** Removes the folders that killed processes have left. Those of other users stay. */
export async function removeLeftSpools(parent: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    const [, id] = name.exec(entry) ?? [];
    if (id === undefined || isRunning(Number(id))) continue;
    await rm(join(parent, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
