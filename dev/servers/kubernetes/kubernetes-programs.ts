import { closeSync, existsSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { lastLines } from "../last-lines.ts";
import { cacheFolder, inNamespaces, reasonAgainstTrixie } from "../trixie.ts";

/** The newest version that the Go module proxy served in 2026-11. */
const version = "1.37.2";

/** The programs of a Kubernetes control plane, built from their Go modules. */
export const kubernetesPrograms = {
  /** Exists if the programs are built. */
  folder: join(cacheFolder(), `kubernetes-${version}`),

  /** @returns why they cannot be built or run here; undefined if no reason is known */
  reasonAgainst(): string | undefined {
    const reason = reasonAgainstTrixie();
    if (reason !== undefined) return `its etcd cannot be started: ${reason}`;
    return existsSync(this.folder) || Bun.which("go") !== null ? undefined : "Go is not installed";
  },

  /** Builds them unless they exist. A process that calls this during the build waits for the builder.
   *  @throws Error with the last lines of the build's log */
  async build(): Promise<void> {
    if (existsSync(this.folder)) return;
    const logFile = `${this.folder}.log`;
    const log = openSync(logFile, "a");
    const script = `[ -e "$1" ] || sh ${join(import.meta.dir, "build-kubernetes.sh")} "$@"`;
    const jobs = Math.max(1, Math.floor(availableParallelism() / 2));
    // the builder's processes hold the lock as an open file: the lock is released when the last of them ends
    const command = [...inNamespaces("flock", "--no-fork", `${this.folder}.lock`), "--mount-proc", "sh", "-c", script];
    const builder = Bun.spawn([...command, "build", this.folder, version, `${jobs}`], {
      // descriptor 3 is for progress that a person should see
      stdio: ["ignore", log, log, 2],
    });
    closeSync(log);
    if ((await builder.exited) !== 0) throw new Error(`Building ${this.folder} failed:\n${lastLines(logFile)}`);
  },
};
