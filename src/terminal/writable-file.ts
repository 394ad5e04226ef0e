import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { TelemetryError } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";

/** A command cannot write its file; the message says what to do. */
export class UnwritableFile extends TelemetryError {
  readonly code = "unwritable_file";
  readonly retryable = false;
}

/** What is wrong by the code of the system's error. */
const problems: Readonly<Record<string, (file: string) => string>> = {
  EISDIR: () => "it is a folder; name a file in it",
  ENOENT: (file) => `there is no folder ${dirname(file)}; create it, or name a file in another one`,
  ENOTDIR: (file) => `${dirname(file)} is no folder; name a file in one`,
  EACCES: () => "this user may not write there; name a file in another folder",
  EPERM: () => "this user may not write there; name a file in another folder",
  EROFS: () => "nothing can be written there; name a file in another folder",
  ENOSPC: () => "the disk is full; free some space, or name a file on another one",
};

/** Looks whether a file could be written, before a command begins the work for it.
 *  @param option the option or argument that names it, such as `--out`
 *  @throws UnwritableFile if it is a folder, or its folder does not exist */
export async function checkWritable(option: string, file: string): Promise<void> {
  const refuse = (code: string): never => {
    throw unwritable(option, file, Object.assign(new Error(code), { code }));
  };
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory() === true || file.endsWith("/")) refuse("EISDIR");
  const folder = await stat(dirname(file)).catch((error: unknown) => Promise.reject(unwritable(option, file, error)));
  if (!folder.isDirectory()) refuse("ENOTDIR");
}

/** The error of a write as a sentence for people. */
function unwritable(option: string, file: string, cause: unknown): UnwritableFile {
  const { code = "" } = cause as { readonly code?: string };
  const problem = Object.hasOwn(problems, code) ? problems[code]?.(file) : undefined;
  return new UnwritableFile(`${option} ${file} cannot be written: ${problem ?? messageOf(cause)}`, { cause });
}

/** What writing it gives. @throws UnwritableFile */
export async function written<Result>(
  option: string,
  file: string,
  write: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    throw unwritable(option, file, error);
  }
}
