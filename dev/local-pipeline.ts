import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunPaths, runPaths } from "../scripts/supervisor/run-paths.ts";
import { freePorts } from "./servers/free-ports.ts";

/** What a command printed, and its exit code. */
export interface Typed {
  readonly code: number;
  readonly output: string;
}

/** A place for a supervisor of its own: a folder, ports and settings. */
export interface LocalPipeline {
  readonly folder: string;
  /** The files of its supervisor. */
  readonly paths: RunPaths;
  readonly gatewayUrls: readonly string[];
  readonly balancerUrl: string;
  /** Types a scale command. */
  type(command: string, env?: Readonly<Record<string, string>>): Promise<Typed>;
  /** The id in a pid file; undefined if there is none. */
  pidOf(name: string): number | undefined;
  logOf(name: string): string;
  /** Stops everything and removes the folder. */
  remove(): Promise<void>;
}

const root = join(import.meta.dir, "..");

/** @param env settings of every command */
export async function localPipeline(env: Readonly<Record<string, string>>): Promise<LocalPipeline> {
  const folder = await mkdtemp(join(tmpdir(), "nexus-"));
  const ports = await freeRanges(5);
  const [gateway = 0, streamer, collector, coordinator, balancer = 0] = ports;
  const settings = {
    ...{ PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: String(gateway) },
    ...{ STREAMER_PORT: String(streamer), COLLECTOR_PORT: String(collector), COORDINATOR_PORT: String(coordinator) },
    BALANCER_PORT: String(balancer),
    ...{ SUPERVISOR_SOCKET: join(folder, "run/supervisor.sock"), LOG_DIR: join(folder, "logs"), ...env },
  };
  const paths = runPaths(settings);
  const type = async (command: string, more: Readonly<Record<string, string>> = {}): Promise<Typed> => {
    const typed = Bun.spawn([process.execPath, "scripts/scale.ts", command], {
      cwd: root,
      env: { ...settings, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [output, errors, code] = await Promise.all([typed.stdout.text(), typed.stderr.text(), typed.exited]);
    return { code, output: output + errors };
  };
  return {
    folder,
    paths,
    type,
    gatewayUrls: [0, 1, 2].map((index) => `http://127.0.0.1:${gateway + index}`),
    balancerUrl: `http://127.0.0.1:${balancer}`,
    pidOf: (name) => {
      const file = paths.pidFile(name);
      return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
    },
    logOf: (name) => readFileSync(paths.logFile(name), "utf8"),
    remove: async () => {
      await type("stop");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** First ports of ranges of five that are free. */
export async function freeRanges(count: number): Promise<number[]> {
  const ranges: number[] = [];
  for (const port of await freePorts(count * 10)) {
    const isFree = [1, 2, 3, 4].every((index) => isFreePort(port + index));
    const isApart = ranges.every((other) => Math.abs(other - port) > 10);
    if (isFree && isApart && ranges.length < count) ranges.push(port);
  }
  return ranges;
}

function isFreePort(port: number): boolean {
  try {
    void Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/** True if a process of this id runs. */
export function runs(pid: number | undefined): boolean {
  return pid !== undefined && existsSync(`/proc/${pid}/exe`) && !/\) Z /.test(statOf(pid));
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return ") Z ";
  }
}
