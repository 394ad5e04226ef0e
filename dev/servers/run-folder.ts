import { closeSync, mkdtempSync, openSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that lives no longer than the process that made it. */
export interface RunFolder {
  readonly path: string;
  /** Removes it and all it holds; again does nothing. */
  remove(): Promise<void>;
}

/** Waits for the end of its input, which is the maker's end also after kill -9; a server that dies at the same moment
 *  may still be writing, hence the tries. */
const sweep = 'cat >/dev/null; for _ in $(seq 100); do rm -rf "$1" && exit; sleep 0.1; done';

/** Makes an empty folder in `parent`, watched by a sweeper process. That is in a session of its own, which no signal to
 *  our process group reaches, and no child of ours: `bun test` kills the children of a test that is late. */
export function makeRunFolder(parent = tmpdir(), name = "gpu-telemetry-service"): RunFolder {
  const path = mkdtempSync(join(parent, `${name}-`));
  const pipe = openPipe(join(path, "alive"));
  const sweeper = Bun.spawn(["setsid", "--fork", "sh", "-c", sweep, "sweep-run-folder", path], {
    cwd: "/",
    stdio: [pipe.readEnd, "pipe", "ignore"],
  });
  closeSync(pipe.readEnd);
  let removal: Promise<void> | undefined;
  const remove = async (): Promise<void> => {
    closeSync(pipe.writeEnd);
    // its output ends with it
    await sweeper.stdout.text();
    await rm(path, { recursive: true, force: true });
  };
  return { path, remove: () => (removal ??= remove()) };
}

/** A pipe whose write end is open in this process alone. A pipe to a child will not do: Bun closes it when the child
 *  ends, which `setsid --fork` does at once. */
function openPipe(path: string): { readEnd: number; writeEnd: number } {
  const { success, stderr } = Bun.spawnSync(["mkfifo", path]);
  if (!success) throw new Error(`No pipe could be made: ${stderr.toString().trim()}`);
  // for both, as opening the one end alone waits for the other
  const writeEnd = openSync(path, "r+");
  const readEnd = openSync(path, "r");
  unlinkSync(path);
  return { readEnd, writeEnd };
}
