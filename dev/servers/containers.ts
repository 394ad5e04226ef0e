import { join } from "node:path";
import { freePorts } from "./free-ports.ts";

/** A server for tests that runs in its own Compose project. */
export interface Container {
  /** The service's port on 127.0.0.1. */
  readonly port: number;
  /** Removes the service with its data. */
  stop(): Promise<void>;
}

/** The services of dev/servers/compose.yaml, each with the variable that sets its port. */
const portVariables = { etcd: "ETCD_PORT", timescaledb: "POSTGRES_PORT" } as const;

const file = join(import.meta.dir, "compose.yaml");

/** @returns the compose command of Docker, or else of Podman; undefined if neither runs here with compose */
export function composeCommand(): readonly string[] | undefined {
  return ["docker", "podman"]
    .filter((engine) => Bun.which(engine) !== null)
    .filter((engine) => succeeds([engine, "info"]) && succeeds([engine, "compose", "version"]))
    .map((engine) => [engine, "compose"])[0];
}

const succeeds = (command: string[]): boolean =>
  Bun.spawnSync(command, { stdio: ["ignore", "ignore", "ignore"], timeout: 10_000 }).success;

/** Starts a service of dev/servers/compose.yaml, with its own project name and port, and waits until the service is healthy.
 *  @throws Error with compose's messages if the start fails; the service is then removed */
export async function startContainer(
  compose: readonly string[],
  service: keyof typeof portVariables,
): Promise<Container> {
  const [port] = (await freePorts(1)) as [number];
  const project = `telemetry-${crypto.randomUUID().slice(0, 8)}`;
  const run = async (...command: string[]): Promise<void> => {
    const child = Bun.spawn([...compose, "--file", file, "--project-name", project, ...command], {
      env: { ...process.env, [portVariables[service]]: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const errors = await child.stderr.text();
    if ((await child.exited) !== 0) throw new Error(`${compose.join(" ")} ${command.join(" ")} failed:\n${errors}`);
  };
  const stop = (): Promise<void> => run("down", "--volumes");
  try {
    await run("up", "--detach", "--wait", service);
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return { port, stop };
}
