import { ulid } from "ulid";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { copyPart, deleteParts, selectPart } from "../../../db/sql/upload-parts.ts";
import {
  countPart,
  deleteOldUploads,
  deleteUpload,
  endUpload,
  insertUpload,
  lockUploads,
  queueUpload,
  selectReadable,
  selectSameContent,
  selectSilent,
  selectUpload,
  selectUploadLoad,
  selectUploads,
  updateReading,
  type UploadRow,
} from "../../../db/sql/uploads.ts";
import { UploadGone, UploadRefused } from "../../../domain/errors.ts";
import { nothingRead, type Upload, type UploadProgress } from "../../../domain/upload.ts";
import type {
  BeginningUpload,
  EndOfUpload,
  ReadableUpload,
  ReceivedPart,
  UploadLimits,
  UploadList,
  UploadReceipt,
  UploadTidying,
  UploadWork,
} from "../upload-store.ts";

/** A reader of a table takes a MiB at a time, too. */
const partBytes = 1024 * 1024;
/** A table takes a tenth of its size then. */
const packing = { level: 1 };
/** When a refused upload may be sent again: those before it take seconds to minutes. */
const retryAfterSeconds = 30;
const cutOff = "Nothing has arrived for some time, or the process that received it has ended; send it again";

/** Uploads in SQL: a row for each, and a row for each part of its bytes, which is deleted when the upload ends. */
export class SqlUploadStore implements UploadReceipt, UploadList, UploadWork, UploadTidying {
  readonly partBytes = partBytes;

  constructor(private readonly client: SqlClient) {}

  begin(upload: BeginningUpload, limits: UploadLimits): Promise<Upload> {
    const id = ulid();
    return this.client.transaction(async (transaction) => {
      lockUploads(transaction);
      await checkRoom(transaction, upload.client, limits);
      await insertUpload(transaction, { ...upload, id, partBytes });
      return toUpload((await selectUpload(transaction, id)) as UploadRow);
    });
  }

  async add({ id, number, bytes }: ReceivedPart, { maxStoredBytes }: UploadLimits): Promise<void> {
    const packed = await Bun.zstdCompress(bytes, packing);
    await this.client.transaction(async (transaction) => {
      const sizes = { number, receivedBytes: bytes.length, storedBytes: packed.length };
      if (!(await countPart(transaction, id, sizes))) return checkReceived(transaction, id, number);
      const { storedBytes } = await selectUploadLoad(transaction, "");
      if (storedBytes > maxStoredBytes) throw noSpace(maxStoredBytes);
      await copyPart(transaction, { uploadId: id, number, bytes: packed });
    });
  }

  finish(id: string, contentId: string): Promise<{ readonly upload: Upload; readonly isDuplicate: boolean }> {
    return this.client.transaction(async (transaction) => {
      lockUploads(transaction);
      const before = await selectSameContent(transaction, contentId);
      // another call for the same upload, whose answer was lost
      if (before?.id === id) return { upload: toUpload(before), isDuplicate: false };
      if (before !== undefined) {
        await endUpload(transaction, id, { state: "cancelled", message: "" });
        await deleteParts(transaction, id);
        await deleteUpload(transaction, id);
        return { upload: toUpload(before), isDuplicate: true };
      }
      const queued = await queueUpload(transaction, id, contentId);
      if (queued === undefined) throw await gone(transaction, id);
      return { upload: toUpload(queued), isDuplicate: false };
    });
  }

  end(id: string, end: EndOfUpload): Promise<Upload | undefined> {
    return this.client.transaction(async (transaction) => {
      // the row is locked from here on: no part is added after those that exist are deleted
      const ended = await endUpload(transaction, id, end);
      if (ended !== undefined) await deleteParts(transaction, id);
      return ended && toUpload(ended);
    });
  }

  async list(limit: number): Promise<readonly Upload[]> {
    return (await selectUploads(this.client, limit)).map(toUpload);
  }

  async find(id: string): Promise<Upload | undefined> {
    const row = await selectUpload(this.client, id);
    return row && toUpload(row);
  }

  async remove(id: string): Promise<Upload | undefined> {
    const row = await deleteUpload(this.client, id);
    return row && toUpload(row);
  }

  async readable(): Promise<readonly ReadableUpload[]> {
    return (await selectReadable(this.client)).map((row) => {
      return { ...toUpload(row), contentId: row.contentId ?? "", client: row.client, partBytes: row.partBytes };
    });
  }

  async part(id: string, number: number): Promise<Uint8Array> {
    const packed = await selectPart(this.client, id, number);
    if (packed === undefined) throw await gone(this.client, id);
    return Bun.zstdDecompress(packed);
  }

  progressed(
    id: string,
    reading: { readonly contentBytes: number | undefined; readonly progress: UploadProgress },
  ): Promise<boolean> {
    return updateReading(this.client, id, reading);
  }

  async endSilent(seconds: number): Promise<number> {
    const silent = await selectSilent(this.client, seconds);
    for (const id of silent) await this.end(id, { state: "failed", message: cutOff });
    return silent.length;
  }

  trim(kept: number): Promise<void> {
    return deleteOldUploads(this.client, kept);
  }
}

/** @throws UploadRefused if there is no room for one more upload of the client */
async function checkRoom(transaction: SqlTransaction, client: string, limits: UploadLimits): Promise<void> {
  const { maxUnfinished, maxUnfinishedOfClient, maxStoredBytes } = limits;
  const { unfinished, ofClient, storedBytes } = await selectUploadLoad(transaction, client);
  const atATime = `${unfinished} uploads are being received and read, ${ofClient} of them of this client, and`;
  if (unfinished >= maxUnfinished) throw refusal(`${atATime} at most ${maxUnfinished} may be (UPLOADS_MAX)`);
  if (ofClient >= maxUnfinishedOfClient) {
    throw refusal(`${atATime} a client may have at most ${maxUnfinishedOfClient}, half of UPLOADS_MAX`);
  }
  if (storedBytes >= maxStoredBytes) throw noSpace(maxStoredBytes);
}

/** A part that was stored before is not stored again. @throws UploadGone if the upload is not being received any more */
async function checkReceived(transaction: SqlTransaction, id: string, number: number): Promise<void> {
  const upload = await selectUpload(transaction, id);
  if (upload?.state === "receiving" && upload.receivedBytes > number * upload.partBytes) return;
  throw await gone(transaction, id);
}

async function gone(executor: Pick<SqlClient, "query">, id: string): Promise<UploadGone> {
  const upload = await selectUpload(executor, id);
  const why = upload === undefined ? "does not exist any more" : `is ${upload.state}`;
  return new UploadGone(`The upload ${id} ${why}${upload?.message ? `: ${upload.message}` : ""}`);
}

const refusal = (reason: string): UploadRefused => new UploadRefused(reason, retryAfterSeconds);

function noSpace(maxStoredBytes: number): UploadRefused {
  return refusal(
    `The uploads that are not read yet take all of the ${maxStoredBytes} bytes that they may take in the database (UPLOADS_SPACE_MIB)`,
  );
}

function toUpload({
  hostname,
  contentId,
  expectedBytes,
  contentBytes,
  progress,
  finishedAtMs,
  ...row
}: UploadRow): Upload {
  const { id, state, message, fileName, clusterId, sender, receivedBytes, createdAtMs, changedAtMs } = row;
  return {
    ...{ id, state, message, fileName, clusterId, sender, receivedBytes, createdAtMs, changedAtMs },
    hostname: hostname ?? undefined,
    contentId: contentId ?? undefined,
    expectedBytes: expectedBytes ?? undefined,
    contentBytes: contentBytes ?? undefined,
    progress: progress ?? nothingRead,
    finishedAtMs: finishedAtMs ?? undefined,
  };
}
