import { parquetMetadataAsync } from "hyparquet";
import { messageOf } from "../../../src/kit/message-of.ts";
import type { ArchiveFiles, ReadableFile } from "../../../src/pipeline/upkeep/archive/archive-files.ts";
import { openArchiveFiles } from "../../../src/pipeline/upkeep/archive/open-files.ts";

/** What was noted about a file when it was written. */
interface NotedFile {
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What is wrong with a file. */
export interface FileProblem {
  readonly path: string;
  readonly problem: "missing" | "changed" | "unreadable";
  readonly detail: string;
}

/** Bytes that are in memory at a time. */
const sliceBytes = 4 * 1024 * 1024;

/** Reads the files at a place, one after the other. @returns those that are not as they were written */
export async function problemsOf(place: string, noted: readonly NotedFile[]): Promise<FileProblem[]> {
  const files = openArchiveFiles(place);
  const problems: FileProblem[] = [];
  for (const each of noted) {
    const found = await problemOf(files, each).catch(
      (error: unknown) => ({ problem: "unreadable", detail: messageOf(error) }) as const,
    );
    if (found !== undefined) problems.push({ path: each.path, ...found });
  }
  return problems;
}

async function problemOf(
  files: ArchiveFiles,
  { path, bytes, records, sha256 }: NotedFile,
): Promise<Omit<FileProblem, "path"> | undefined> {
  if ((await files.sizeOf(path)) === undefined) return { problem: "missing", detail: `not in ${files.description}` };
  const file = await files.open(path);
  if (file.byteLength !== bytes) return { problem: "changed", detail: `${file.byteLength} bytes instead of ${bytes}` };
  const found = await sha256Of(file);
  if (found !== sha256) return { problem: "changed", detail: `SHA-256 ${found} instead of ${sha256}` };
  const rows = Number((await parquetMetadataAsync(file)).num_rows);
  return rows === records ? undefined : { problem: "changed", detail: `${rows} records instead of ${records}` };
}

async function sha256Of(file: ReadableFile): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for (let from = 0; from < file.byteLength; from += sliceBytes) {
    hash.update(await file.slice(from, Math.min(file.byteLength, from + sliceBytes)));
  }
  return hash.digest("hex");
}
