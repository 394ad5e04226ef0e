import { readFileSync } from "node:fs";

/** @param pid the process id of `unshare`, whose only child is the server
 *  @returns the server's process id; undefined before the server exists */
export function childOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()) || undefined;
  } catch {
    return undefined;
  }
}
