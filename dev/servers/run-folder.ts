import { closeSync, mkdtempSync, openSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is removed, at the latest, when the process that made it ends. */
export interface RunFolder {
  readonly path: string;
  /** Removes the folder with its content; a second call waits for the same removal. */
  remove(): Promise<void>;
}

/** The script of the sweeper process. Its input ends when the process that made the folder ends, even by kill -9; the script
 *  then removes the folder. It repeats a failed removal, because a server that ends at the same moment may still be writing. */
const sweep = 'cat >/dev/null; for _ in $(seq 100); do rm -rf "$1" && exit; sleep 0.1; done';

/** Makes an empty folder in `parent`, and starts a sweeper process that removes it. The sweeper has its own session, so
 *  that signals to our process group do not reach it. It is not our child, because `bun test` kills the children of a test
 *  that exceeds its time limit. */
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
    // the sweeper's output ends when the sweeper ends
    await sweeper.stdout.text();
    await rm(path, { recursive: true, force: true });
  };
  return { path, remove: () => (removal ??= remove()) };
}

/** A pipe whose write end is open in this process only. Bun's own pipe to a child is not usable: Bun closes that pipe when the
 *  child ends, and `setsid --fork` ends immediately. */
function openPipe(path: string): { readEnd: number; writeEnd: number } {
  const { success, stderr } = Bun.spawnSync(["mkfifo", path]);
  if (!success) throw new Error(`mkfifo failed: ${stderr.toString().trim()}`);
  // opened for reading and writing, because opening it for writing alone would wait for a reader
  const writeEnd = openSync(path, "r+");
  const readEnd = openSync(path, "r");
  unlinkSync(path);
  return { readEnd, writeEnd };
}
