import { S3Client } from "bun";
import { ArchiveUnavailable } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { type ArchiveFiles, type ListedFile, type NewFile, parquetEnding, type ReadableFile } from "./archive-files.ts";

/** How a store of objects is reached. What is absent is read from the usual variables: S3_ENDPOINT or AWS_ENDPOINT, S3_REGION or
 *  AWS_REGION, S3_ACCESS_KEY_ID or AWS_ACCESS_KEY_ID, and so on.
 *  Source: https://bun.com/docs/runtime/s3#credentials */
export interface S3Access {
  readonly endpoint?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
}

/** Bytes of a part of an upload, the least that S3 takes; three are in memory at most. */
const partBytes = 5 * 1024 * 1024;
const partsAtATime = 2;
const retries = 3;

/** An archive in a bucket of a store that speaks S3's protocol. An object appears whole when its upload is completed. */
export class S3Files implements ArchiveFiles {
  private readonly client: S3Client;

  /** @param prefix what all names begin with; empty, or with a slash at its end */
  constructor(
    private readonly bucket: string,
    private readonly prefix: string,
    access: S3Access,
  ) {
    this.client = new S3Client({ bucket, ...access, partSize: partBytes, queueSize: partsAtATime, retry: retries });
  }

  get description(): string {
    return `s3://${this.bucket}/${this.prefix}`;
  }

  async *list(): AsyncGenerator<ListedFile, void> {
    for (let startAfter: string | undefined; ;) {
      const page = await this.named("list the files", () =>
        this.client.list({ prefix: this.prefix, ...(startAfter === undefined ? {} : { startAfter }) }),
      );
      const found = page.contents ?? [];
      for (const { key, size = 0 } of found) {
        if (key.endsWith(parquetEnding)) yield { path: key.slice(this.prefix.length), bytes: size };
      }
      if (page.isTruncated !== true || found.length === 0) return;
      startAfter = found.at(-1)?.key;
    }
  }

  async open(path: string): Promise<ReadableFile> {
    const byteLength = await this.sizeOf(path);
    if (byteLength === undefined) throw new ArchiveUnavailable(`there is no ${path} in ${this.description}`);
    const file = this.client.file(this.prefix + path);
    return {
      byteLength,
      slice: (start, end = byteLength) => this.named(`read ${path}`, () => file.slice(start, end).arrayBuffer()),
    };
  }

  create(path: string): Promise<NewFile> {
    const writer = this.client.file(this.prefix + path).writer();
    const what = `write ${path}`;
    return Promise.resolve({
      write: (bytes) =>
        this.named(what, async () => {
          await writer.write(bytes);
          await writer.flush();
        }),
      finish: () => this.named(what, async () => void (await writer.end())),
      // ended in whatever way, Bun's writer completes the upload; left alone, it does not, and the store deletes the parts by its own rules
      discard: () => Promise.resolve(writer.unref()),
    });
  }

  sizeOf(path: string): Promise<number | undefined> {
    return this.named(`read ${path}`, async () => {
      const file = this.client.file(this.prefix + path);
      return (await file.exists()) ? (await file.stat()).size : undefined;
    });
  }

  private async named<T>(what: string, work: () => Promise<T>): Promise<T> {
    return work().catch((cause: unknown) => {
      throw new ArchiveUnavailable(`cannot ${what} in ${this.description}: ${messageOf(cause)}`, { cause });
    });
  }
}
