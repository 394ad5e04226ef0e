import type { Upload, UploadProgress } from "../../domain/upload.ts";

/** An upload that begins. */
export type BeginningUpload = Pick<Upload, "fileName" | "clusterId" | "hostname" | "sender" | "expectedBytes"> & {
  /** Whose turn it takes: clients take turns. */
  readonly client: string;
};

/** How many uploads may be unfinished, and what they may take. */
export interface UploadLimits {
  readonly maxUnfinished: number;
  readonly maxUnfinishedOfClient: number;
  /** Of all parts, as they are kept. */
  readonly maxStoredBytes: number;
}

/** How an upload ends. */
export interface EndOfUpload {
  readonly state: "done" | "cancelled" | "failed";
  readonly message: string;
}

/** Takes the bytes of uploads. */
export interface UploadReceipt {
  /** The size of a part. */
  readonly partBytes: number;
  /** @throws UploadRefused if the limits leave no room; StoreUnavailable */
  begin(upload: BeginningUpload, limits: UploadLimits): Promise<Upload>;
  /** Stores a part of `partBytes`, or the last one, which may have fewer. It outlives the process when this resolves.
   *  @throws UploadGone if the upload is not being received any more; UploadRefused if the parts take too much; StoreUnavailable */
  add(part: ReceivedPart, limits: UploadLimits): Promise<void>;
  /** Lets an upload be read. If another one has the same content, and has neither been cancelled nor failed, this one is deleted.
   *  @param contentId made from the whole content
   *  @throws UploadGone; StoreUnavailable */
  finish(id: string, contentId: string): Promise<{ readonly upload: Upload; readonly isDuplicate: boolean }>;
  /** Ends an upload, and deletes its bytes.
   *  @returns undefined if there is none, or it has ended already
   *  @throws StoreUnavailable */
  end(id: string, end: EndOfUpload): Promise<Upload | undefined>;
}

/** A part of an upload. */
export interface ReceivedPart {
  readonly id: string;
  /** From 0. */
  readonly number: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Shows uploads, and removes them. */
export interface UploadList {
  /** The newest uploads, the newest first. @throws StoreUnavailable */
  list(limit: number): Promise<readonly Upload[]>;
  /** @returns undefined if there is none @throws StoreUnavailable */
  find(id: string): Promise<Upload | undefined>;
  /** See `UploadReceipt`. */
  end(id: string, end: EndOfUpload): Promise<Upload | undefined>;
  /** Removes an upload that has ended from the list. @returns undefined if there is none @throws StoreUnavailable */
  remove(id: string): Promise<Upload | undefined>;
}

/** An upload whose bytes can be read. */
export interface ReadableUpload extends Upload {
  readonly contentId: string;
  readonly client: string;
  readonly partBytes: number;
}

/** Gives uploads to the processes that read them. */
export interface UploadWork {
  /** The uploads that are to be read, the oldest first. @throws StoreUnavailable */
  readable(): Promise<readonly ReadableUpload[]>;
  /** The bytes of a part. @throws UploadGone if its bytes are deleted; StoreUnavailable */
  part(id: string, number: number): Promise<Uint8Array>;
  /** Notes how far an upload is read.
   *  @param reading `contentBytes`: undefined if it is not known yet
   *  @returns false if it may not be read any more @throws StoreUnavailable */
  progressed(
    id: string,
    reading: { readonly contentBytes: number | undefined; readonly progress: UploadProgress },
  ): Promise<boolean>;
  /** See `UploadReceipt`. */
  end(id: string, end: EndOfUpload): Promise<Upload | undefined>;
}

/** Removes uploads that nothing else removes. */
export interface UploadTidying {
  /** Ends uploads that have received nothing for so long: the process that received them is gone.
   *  @returns how many @throws StoreUnavailable */
  endSilent(seconds: number): Promise<number>;
  /** Removes uploads that have ended, except the newest ones, from the list. @throws StoreUnavailable */
  trim(kept: number): Promise<void>;
}
