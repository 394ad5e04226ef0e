import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that lives no longer than the process that made it. */
export interface RunFolder {
  readonly path: string;
  /** Removes it and all it holds. */
  remove(): Promise<void>;
}

/** Waits for the end of its input, which is the maker's end also after kill -9; a server that dies at the same moment
 *  may still be writing, hence the tries. */
const sweep = 'cat >/dev/null; for _ in $(seq 100); do rm -rf "$1" && exit; sleep 0.1; done; exit 1';

/** Makes an empty folder in `parent`, watched by a sweeper process in a session of its own, which a signal to our
 *  process group does not reach. */
export function makeRunFolder(parent = tmpdir(), name = "gpu-telemetry-service"): RunFolder {
  const path = mkdtempSync(join(parent, `${name}-`));
  const sweeper = Bun.spawn(["sh", "-c", sweep, "sweep-run-folder", path], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  return {
    path,
    remove: async () => {
      await sweeper.stdin.end();
      if ((await sweeper.exited) !== 0) throw new Error(`${path} could not be removed`);
    },
  };
}
