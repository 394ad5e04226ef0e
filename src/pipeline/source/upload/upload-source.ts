import { UnusableSource } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import { CsvSource, originalTimes } from "../csv/csv-source.ts";
import { FileContent } from "../file/file-content.ts";
import type { SeenFile } from "../file/file-look.ts";
import type { FileStatus } from "../file/file-status.ts";
import { withParameter } from "../host-advice.ts";
import type { ReplayableSource } from "../source.ts";
import { UploadBytes, type UploadBytesOptions } from "./upload-bytes.ts";

export interface UploadSourceOptions extends UploadBytesOptions {
  readonly sourceId: string;
  readonly clusterId: string;
  /** The host of rows that name none. */
  readonly hostname: string | undefined;
  readonly batchRows: number;
  readonly batchMaxRows: number;
  /** The size of the content, unpacked, if it is known: then it need not be counted. */
  readonly contentBytes: number | undefined;
  /** The most that the content may have, unpacked. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

/** Opens an uploaded table. @throws UnusableSource if it is no table; the errors of `readPart` */
export async function openUploadSource(options: UploadSourceOptions): Promise<ReplayableSource> {
  const { sourceId, name, sizeBytes, maxBytes, clock, clusterId, hostname, batchRows, batchMaxRows } = options;
  const content = await FileContent.in(new UploadBytes(options), clock);
  const contentBytes = options.contentBytes ?? (await content.size(sizeBytes, maxBytes));
  if (contentBytes > maxBytes) {
    throw new UnusableSource(`${name} has more than ${maxBytes} bytes, unpacked (UPLOAD_MAX_MIB)`);
  }
  const status: FileStatus = { inode: 0, sizeBytes, createdMs: 0, modifiedMs: 0, changedMs: 0 };
  const seen: SeenFile = { path: name, status, fingerprint: sourceId, digest: undefined, content, contentBytes };
  const source = CsvSource.open({
    ...{ clusterId, batchRows, batchMaxRows, clock, hostname, namedHostname: hostname },
    ...{ playing: originalTimes, isComplete: true },
    look: { see: () => Promise.resolve(seen) },
    // all of its bytes have arrived, and do not change
    guard: { check: () => Promise.resolve(status) },
    chooseId: () => Promise.resolve(sourceId),
    onWarning: () => undefined,
  });
  return source.catch((error: unknown) => {
    throw error instanceof UnusableSource ? new UnusableSource(withParameter(error.message)) : (error as Error);
  });
}
