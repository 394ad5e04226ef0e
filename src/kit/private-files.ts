import { chmodSync, statSync } from "node:fs";
import { messageOf } from "./message-of.ts";

const [groupAndOthers, othersRead, groupAndOthersWrite] = [0o077, 0o004, 0o022];

/** New files and folders of this process, and of the processes that it starts, are for its user only: 0600 and 0700. */
export function keepFilesPrivate(): void {
  process.umask(groupAndOthers);
}

/** Takes everyone else's rights on a folder away.
 *  @returns what was done, or why it could not be done, for people; undefined if the folder does not exist, or only its user has rights */
export function tightenFolder(path: string): string | undefined {
  const mode = modeOf(path);
  if (mode === undefined || (mode & groupAndOthers) === 0) return undefined;
  try {
    chmodSync(path, mode & ~groupAndOthers);
    return `other users had rights on the folder ${path} (${octal(mode)}); it is for this user only now`;
  } catch (error) {
    return `other users have rights on the folder ${path} (${octal(mode)}), which cannot be taken away: ${messageOf(error)}`;
  }
}

/** How a file with a secret, or one that says who may do what, is open to other users of the machine.
 *  @returns a sentence; undefined if it is not, or does not exist */
export function exposureOf(setting: string, path: string): string | undefined {
  const mode = modeOf(path);
  if (mode === undefined) return undefined;
  const may = [
    ...((mode & othersRead) === 0 ? [] : ["read"]),
    ...((mode & groupAndOthersWrite) === 0 ? [] : ["change"]),
  ];
  if (may.length === 0) return undefined;
  return `other users of this machine may ${may.join(" and ")} ${setting}=${path} (${octal(mode)}); chmod 600 makes it private`;
}

function modeOf(path: string): number | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && stats.mode & 0o777;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
