import { parseArgs } from "node:util";
import { version } from "../package.json";
import { containerEngine, engineMissing } from "./docker/container-engine.ts";
import { type ImageNames, images } from "./docker/images.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Builds the images of the pipeline and of its etcd with Docker or Podman, and pushes them.
  bun run docker-build-nexus
  DOCKER_REGISTRY=registry.example.org/gpu bun run docker-push-nexus
DOCKER_REGISTRY is the registry in their names, IMAGE_TAG their tag (${version}). docker-build-legacy is gone.`;

const legacyIsGone =
  "docker-build-legacy is gone, with the separate images of the former system: one image runs every role (ROLE); make docker-build-nexus builds it";

/** Runs a command of the engine, which prints its progress itself.
 *  @throws Error that names the command if it fails */
async function run(...command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], { cwd: `${import.meta.dir}/..`, stdio: ["ignore", "inherit", "inherit"] });
  const code = await child.exited;
  if (code !== 0) throw new Error(`${command.join(" ")} failed with status ${code}`);
}

/** The commit that is built; it is a label of the image. */
function revision(): string {
  if (Bun.which("git") === null) return "unknown";
  const { success, stdout } = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: import.meta.dir });
  return success ? stdout.toString().trim() : "unknown";
}

async function build(engine: string, names: ImageNames): Promise<void> {
  // Podman's own format has no health checks
  const format = engine === "podman" ? ["--format", "docker"] : [];
  const labels = ["--build-arg", `VERSION=${version}`, "--build-arg", `REVISION=${revision()}`];
  await run(engine, "build", ...format, ...labels, "--tag", names.pipeline, ".");
  await run(engine, "build", ...format, "--tag", names.etcd, "deploy/etcd");
  print(`Built ${names.pipeline} and ${names.etcd}`);
}

async function push(engine: string, names: ImageNames): Promise<void> {
  if (!process.env.DOCKER_REGISTRY) {
    throw new Error(
      "DOCKER_REGISTRY is not set: DOCKER_REGISTRY=registry.example.org/gpu make docker-build-nexus, and the same with docker-push-nexus",
    );
  }
  await run(engine, "push", names.pipeline);
  await run(engine, "push", names.etcd);
}

const commands: Readonly<Record<string, (engine: string, names: ImageNames) => Promise<void>>> = { build, push };

async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [name = ""] = positionals;
  if (name === "legacy") throw new Error(legacyIsGone);
  const command = commands[name];
  if (command === undefined) throw new TypeError(usage);
  const names = images({ registry: process.env.DOCKER_REGISTRY, tag: process.env.IMAGE_TAG?.trim() || version });
  const engine = containerEngine();
  if (engine === undefined) throw new Error(engineMissing(`docker-${name}-nexus`));
  await command(engine, names);
}

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  await main();
} catch (error) {
  printError((error as Error).message);
  process.exitCode = 1;
}
