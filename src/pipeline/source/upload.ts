import type { Upload } from "../../domain/upload.ts";

/** A table that a client sends. */
export interface SentFile extends Pick<Upload, "fileName" | "clusterId" | "hostname" | "sender" | "expectedBytes"> {
  /** Whose turn it takes: clients take turns. */
  readonly client: string;
  /** The content type of the form (multipart/form-data) that has the file, with its boundary; undefined: the body is the file. */
  readonly form: string | undefined;
  readonly body: ReadableStream<Uint8Array>;
}

/** The file in a body. */
export interface SentContent {
  /** The name in the form, or the one that the client gives otherwise. */
  readonly fileName: string;
  /** As the client sends them: they may be packed. @throws UnusablePush if the body does not go on, or is no form */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Keeps tables until they are read. */
export interface UploadIntake {
  /** Resolves when all bytes outlive this process.
   *  @returns `isDuplicate`: the upload is an earlier one with the same content
   *  @throws UploadRefused; NoCollector; UnusablePush if the bytes are too many, too few or do not go on; UploadGone if it was cancelled meanwhile;
   *    StoreUnavailable; the signal's reason if it aborts */
  take(file: SentFile, signal: AbortSignal): Promise<{ readonly upload: Upload; readonly isDuplicate: boolean }>;
}
