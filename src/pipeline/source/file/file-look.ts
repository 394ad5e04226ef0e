import { basename } from "node:path";
import type { FileHandle } from "node:fs/promises";
import type { Clock } from "../../../kit/clock.ts";
import type { FileIds } from "../file-ids.ts";
import { contentDigest } from "./content-digest.ts";
import { FileContent } from "./file-content.ts";
import { type FileStatus, isSameStatus, statusOf } from "./file-status.ts";
import { fingerprint, fingerprintMaxBytes, openForReading } from "./open-file.ts";

/** A file as it was when it was looked at. */
export interface SeenFile {
  readonly path: string;
  readonly status: FileStatus;
  /** 16 hexadecimal digits made from the file's head and size. */
  readonly fingerprint: string;
  /** 16 hexadecimal digits made from all bytes; undefined if the file is so short that its fingerprint is. */
  readonly digest: string | undefined;
  readonly content: FileContent;
  /** The number of bytes of the content, which is larger than the file if the file is packed. */
  readonly contentBytes: number;
}

/** @param kind what the ids of such files begin with */
export function fileIds(kind: string, { path, fingerprint: digits, digest }: SeenFile): FileIds {
  const earlierId = `${kind}:${basename(path)}:${digits}`;
  return { id: digest === undefined ? earlierId : `${earlierId}-${digest}`, earlierId, digest };
}

/** Looks at a file: reads all of it once, and again only after its size, its times or its inode have changed. */
export class FileLook {
  private last: SeenFile | undefined;

  constructor(
    readonly path: string,
    private readonly clock: Pick<Clock, "after">,
  ) {}

  /** Bytes that are appended later are not part of the file that was seen.
   *  @throws UnusableSource if the file cannot be read, or cannot be unpacked */
  async see(): Promise<SeenFile> {
    const file = await openForReading(this.path);
    try {
      const status = statusOf(await file.stat());
      if (this.last === undefined || !isSameStatus(this.last.status, status)) this.last = await this.read(file, status);
      return this.last;
    } finally {
      await file.close();
    }
  }

  private async read(file: FileHandle, status: FileStatus): Promise<SeenFile> {
    const { path, clock } = this;
    const { sizeBytes } = status;
    const content = await FileContent.of(path, clock);
    const contentBytes = await content.size(sizeBytes);
    const digest = sizeBytes > fingerprintMaxBytes ? await contentDigest(file, sizeBytes) : undefined;
    return { path, status, fingerprint: await fingerprint(file, sizeBytes), digest, content, contentBytes };
  }
}
