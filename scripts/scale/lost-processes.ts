import { readdirSync } from "node:fs";
import { type OwnProcess, ownProcesses } from "../supervisor/own-processes.ts";
import { isRunning, signalProcess } from "../supervisor/process-identity.ts";
import type { StopResult } from "../supervisor/protocol.ts";
import { type RunPaths, supervisorName } from "../supervisor/run-paths.ts";
import type { SupervisorClient } from "./supervisor-client.ts";

/** For a process whose environment does not say it. */
const defaultShutdownSeconds = 30;
/** A process that uses up its own time still ends before it is killed. */
const killMarginSeconds = 2;

/** The processes of this folder that no supervisor has: its state was lost, or could not be written before it died. Empty where the
 *  system does not tell. */
export async function lostProcesses(paths: RunPaths, client: SupervisorClient): Promise<readonly OwnProcess[]> {
  // first: what a supervisor starts from now on is not among them
  const own = ownProcesses(paths.socket) ?? [];
  if (own.length === 0) return own;
  const known = await client.knownPids();
  return own
    .filter((each) => !known.has(each.pid) && isRunning(each))
    .toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** What a person should do about them. */
export function lostText(lost: readonly OwnProcess[]): string {
  const names = lost.map(({ name, pid }) => `  ${name}, pid ${pid}`).join("\n");
  return `These processes run, but the supervisor's state does not have them; it was lost:\n${names}\nbun run scale-stop ends everything; kill PID ends one of them.`;
}

/** Where the system does not tell whose a process is: says which pid files are left; undefined if there is nothing to say. */
export function unknownText({ folder }: RunPaths, platform: NodeJS.Platform): string | undefined {
  if (platform === "linux") return undefined;
  const files = filesIn(folder).filter((file) => file.endsWith(".pid") && file !== `${supervisorName}.pid`);
  if (files.length === 0) return undefined;
  return `${folder} has ${files.sort().join(", ")}: whether these processes run is not known, only Linux tells whose they are.`;
}

/** Ends them, by SIGKILL after their time for it. */
export async function endLost(lost: readonly OwnProcess[]): Promise<StopResult> {
  for (const each of lost) signalProcess(each, "SIGTERM");
  const startedMs = performance.now();
  const killed = new Set<string>();
  const running = (): readonly OwnProcess[] => lost.filter(isRunning);
  for (let left = running(); left.length > 0; left = running()) {
    const seconds = (performance.now() - startedMs) / 1000;
    for (const each of left) {
      if (seconds < (each.shutdownSeconds ?? defaultShutdownSeconds) + killMarginSeconds) continue;
      signalProcess(each, "SIGKILL");
      killed.add(each.name);
    }
    await Bun.sleep(50);
  }
  return { stopped: lost.map(({ name }) => name), killed: [...killed] };
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
