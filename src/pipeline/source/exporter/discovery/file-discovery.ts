import { readFile, stat } from "node:fs/promises";
import type { Logger } from "pino";
import type { Clock } from "../../../../kit/clock.ts";
import type { Target } from "../target.ts";
import { PolledDiscovery } from "./polled-discovery.ts";
import type { TargetDiscovery } from "./target-discovery.ts";
import { readTargetsFile } from "./targets-file.ts";
import { UnusableSource } from "../../../../domain/errors.ts";

export interface FileDiscoveryOptions {
  readonly path: string;
  /** The cluster of targets without the label `cluster`. */
  readonly clusterId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A change takes effect within this time. The file is read, not watched: a mounted ConfigMap is replaced by a symbolic link, and a
 *  file on NFS sends no events. */
const pauseMs = 5000;
/** The text of a file that has changed must stay the same this long: an editor may still write it, and half a file lacks targets. */
const settlingMs = 250;
/** 100,000 targets with a few labels. */
const fileMaxBytes = 16 * 1024 * 1024;

/** The targets of a file (DCGM_TARGETS_FILE). An edit that cannot be read leaves the targets as they were. */
export function fileDiscovery({ path, clusterId, clock, log }: FileDiscoveryOptions): TargetDiscovery {
  let last: { readonly text: string; readonly targets: readonly Target[] } | undefined;
  const read = async (signal: AbortSignal): Promise<readonly Target[]> => {
    const text = await textOf(path);
    if (last?.text === text) return last.targets;
    await clock.sleep(settlingMs, signal);
    // if it still changes, the next poll reads it
    if (last === undefined || text === (await textOf(path))) {
      last = { text, targets: readTargetsFile({ path, text }, clusterId) };
    }
    return last.targets;
  };
  return new PolledDiscovery({ description: `DCGM_TARGETS_FILE=${path}`, read, pauseMs, clock, log });
}

async function textOf(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > fileMaxBytes) throw new Error(`it has ${size} bytes; at most ${fileMaxBytes} are read`);
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UnusableSource(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
