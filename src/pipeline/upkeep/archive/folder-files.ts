import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ArchiveUnavailable } from "../../../domain/errors.ts";
import { systemClock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { type ArchiveFiles, type ListedFile, type NewFile, parquetEnding, type ReadableFile } from "./archive-files.ts";

/** Readers of Parquet folders leave out what begins with a point. */
const partBeginning = ".part-";
/** A part of a process that was killed is removed when its file is written again, at the latest after so long: no file takes a day. */
const partMaxAgeMs = 24 * 3_600_000;

/** An archive in a folder, such as a volume that all processes mount. A file is written under another name, flushed to the disk, and
 *  renamed. */
export class FolderFiles implements ArchiveFiles {
  constructor(private readonly folder: string) {}

  get description(): string {
    return this.folder;
  }

  async *list(): AsyncGenerator<ListedFile, void> {
    yield* this.listIn("");
  }

  open(path: string): Promise<ReadableFile> {
    return this.named(`read ${path}`, async () => {
      const { size: byteLength } = await stat(join(this.folder, path));
      return { byteLength, slice: (start, end = byteLength) => this.read(path, start, end) };
    });
  }

  create(path: string): Promise<NewFile> {
    return this.named(`write ${path}`, async () => {
      const whole = join(this.folder, path);
      await mkdir(dirname(whole), { recursive: true });
      const ofFile = `${partBeginning}${basename(path)}-`;
      await removeOldParts(dirname(whole), ofFile);
      const part = join(dirname(whole), ofFile + crypto.randomUUID());
      return this.newFile({ path, whole, part }, await open(part, "wx"));
    });
  }

  async sizeOf(path: string): Promise<number | undefined> {
    return this.named(`read ${path}`, async () => {
      const found = await stat(join(this.folder, path)).catch(missingIs(undefined));
      return found?.size;
    });
  }

  private newFile(names: { readonly path: string; readonly whole: string; readonly part: string }, file: FileHandle) {
    const { path, whole, part } = names;
    return {
      write: (bytes: Uint8Array) => this.named(`write ${path}`, () => file.writeFile(bytes)),
      finish: () =>
        this.named(`write ${path}`, async () => {
          await file.sync();
          await file.close();
          await rename(part, whole);
          await syncFolder(dirname(whole));
        }),
      discard: async () => {
        await file.close().catch(() => undefined);
        await rm(part, { force: true }).catch(() => undefined);
      },
    };
  }

  private async *listIn(path: string): AsyncGenerator<ListedFile, void> {
    const folder = join(this.folder, path);
    const entries = await this.named("list the files", () => readdir(folder, { withFileTypes: true }));
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inner = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) yield* this.listIn(inner);
      else if (entry.name.endsWith(parquetEnding) && !entry.name.startsWith(".")) {
        const bytes = await this.sizeOf(inner);
        if (bytes !== undefined) yield { path: inner, bytes };
      }
    }
  }

  private read(path: string, start: number, end: number): Promise<ArrayBuffer> {
    return this.named(`read ${path}`, () => Bun.file(join(this.folder, path)).slice(start, end).arrayBuffer());
  }

  private async named<T>(what: string, work: () => Promise<T>): Promise<T> {
    return work().catch((cause: unknown) => {
      throw new ArchiveUnavailable(`cannot ${what} in ${this.folder}: ${messageOf(cause)}`, { cause });
    });
  }
}

/** A rename is on the disk once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A process that still writes a part of the same file has lost the lead meanwhile: it then cannot show it.
 *  @param ofFile the beginning of the names of the parts of the file that is begun */
async function removeOldParts(folder: string, ofFile: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(partBeginning)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(missingIs(undefined));
    const isOld = found !== undefined && systemClock.nowMs() - found.mtimeMs > partMaxAgeMs;
    if (isOld || name.startsWith(ofFile)) await rm(path, { force: true });
  }
}

function missingIs<T>(value: T) {
  return (error: unknown): T => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return value;
    throw error as Error;
  };
}
