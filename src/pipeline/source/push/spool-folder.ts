import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const prefix = "gpu-telemetry-push-";

/** Makes the folder in which this process keeps bodies while it reads them, and removes those that killed processes have left.
 *  @param parent a folder for temporary files
 *  @throws the errors of the file system */
export async function makeSpoolFolder(parent: string): Promise<string> {
  for (const name of await readdir(parent)) {
    const id = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : NaN;
    if (Number.isInteger(id) && !isRunning(id)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `${prefix}${process.pid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
