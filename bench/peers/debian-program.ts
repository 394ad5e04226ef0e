import { mkdir, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "gpu-telemetry-pipeline");

/** Downloads a Debian package into the cache and unpacks it, unless the program is already there.
 *  @returns the program's path
 *  @throws Error if the package cannot be downloaded or unpacked */
export async function debianProgram(packageName: string, program: string): Promise<string> {
  const folder = join(cacheFolder, packageName);
  const path = join(folder, "usr/bin", program);
  if (await Bun.file(path).exists()) return path;
  await mkdir(folder, { recursive: true });
  run(packageName, folder, ["apt-get", "download", packageName]);
  const archive = (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error(`apt-get download ${packageName} left no package`);
  run(packageName, folder, ["dpkg-deb", "-x", archive, folder]);
  return path;
}

function run(packageName: string, folder: string, command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: folder });
  if (exitCode === 0) return;
  throw new Error(
    `the Debian package ${packageName} cannot be provided: ${command.join(" ")} failed: ${stderr.toString()}`,
  );
}
