import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { userInfo } from "node:os";
import { cacheFolder, reasonAgainstTrixie } from "../../dev/servers/trixie.ts";

/** The sandboxes in which tests run allow no more than this. */
export const limits = ["--ulimit", "nofile=10000:10000", "--ulimit", "nproc=30000:30000"];

/** @returns why containers cannot be tried here; undefined if no reason is known */
export function reasonAgainstContainers(): string | undefined {
  if (Bun.which("podman") === null)
    return "Podman is not installed (apt-get install podman runc netavark aardvark-dns)";
  if (userInfo().uid !== 0) return "the user is not root";
  const reason = reasonAgainstTrixie();
  if (reason !== undefined) return `base images are made from Debian's packages, but ${reason}`;
  const { success, stderr } = Bun.spawnSync(["podman", "info"], { timeout: 30_000 });
  return success ? undefined : `Podman does not work here: ${stderr.toString().trim()}`;
}

/** Podman with images, containers and networks of its own: the stand-ins for base images have the names of real ones, which must not
 *  meet those of the machine's user. */
export class Podman {
  private readonly command: readonly string[];

  constructor() {
    const folder = join(cacheFolder(), "containers");
    mkdirSync(folder, { recursive: true });
    const storage = [
      "--root",
      join(folder, "storage"),
      "--runroot",
      join(folder, "run"),
      "--cgroup-manager",
      "cgroupfs",
    ];
    // crun, Podman's default, refuses some sandboxes
    const runtime = Bun.which("runc") === null ? [] : ["--runtime", "runc"];
    this.command = ["podman", ...storage, ...runtime];
  }

  /** Runs a command of Podman.
   *  @returns its standard output
   *  @throws Error with its standard error */
  async run(...args: readonly string[]): Promise<string> {
    const { code, output, errors } = await this.attempt(...args);
    if (code === 0) return output.trim();
    throw new Error(`podman ${args.join(" ")} failed with ${code}:\n${errors.trim() || output.trim()}`);
  }

  /** Runs a command of Podman, which may fail. */
  async attempt(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly output: string; readonly errors: string }> {
    const child = Bun.spawn([...this.command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { code: await child.exited, output, errors };
  }

  /** Removes all containers, also those that run. */
  async removeContainers(): Promise<void> {
    await this.attempt("rm", "--force", "--all", "--time", "0");
  }

  /** Makes an image from a folder, with instructions of a Dockerfile. */
  async importFolder(folder: string, name: string, changes: readonly string[]): Promise<void> {
    const pack = Bun.spawn(["tar", "--create", "--one-file-system", "--directory", folder, "."], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const options = changes.flatMap((change) => ["--change", change]);
    const load = Bun.spawn([...this.command, "import", ...options, "-", name], {
      stdio: [pack.stdout, "ignore", "pipe"],
    });
    const errors = await load.stderr.text();
    if ((await load.exited) !== 0) throw new Error(`podman import of ${folder} failed:\n${errors}`);
  }

  /** The value of a template of `podman inspect`, such as `{{.State.Pid}}`. */
  inspect(name: string, template: string): Promise<string> {
    return this.run("inspect", "--format", template, name);
  }
}
