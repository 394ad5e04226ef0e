import type { RejectReason } from "./batch.ts";

/** The states of an upload. An upload is finished in the last three.
 *
 *  receiving -its last byte is stored-> queued -a process opens it-> reading -every row is stored or rejected-> done
 *  receiving, queued, reading -a client cancels it-> cancelled
 *  receiving -its sender goes, or it is too large-> failed; queued, reading -it cannot be read-> failed */
export const uploadStates = ["receiving", "queued", "reading", "done", "cancelled", "failed"] as const;

export type UploadState = (typeof uploadStates)[number];

/** What has become of the rows of an upload so far: sums over the messages that are stored. */
export interface UploadProgress {
  /** Rows that are stored or rejected. */
  readonly rows: number;
  /** Records that are stored: new ones, and those that were merged with stored ones. */
  readonly records: number;
  readonly samples: number;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  /** The part of the content, unpacked, that these rows take. */
  readonly contentBytes: number;
}

/** The progress of an upload of which no row is stored. */
export const nothingRead: UploadProgress = { rows: 0, records: 0, samples: 0, rejected: {}, contentBytes: 0 };

/** A table that a client has sent, and what has become of it. Instants are milliseconds since the epoch. */
export interface Upload {
  /** A ULID: later uploads have greater ids. */
  readonly id: string;
  readonly state: UploadState;
  /** A sentence that explains the state; empty: there is nothing to explain. */
  readonly message: string;
  /** The name that the client gives the file; empty if it gives none. */
  readonly fileName: string;
  /** The cluster of rows that name none. */
  readonly clusterId: string;
  /** The host of rows that name none; undefined: these are rejected. */
  readonly hostname: string | undefined;
  /** The name of the key that sent it. */
  readonly sender: string;
  /** Made from the bytes, the cluster and the host; undefined until all bytes have arrived. */
  readonly contentId: string | undefined;
  readonly receivedBytes: number;
  /** The size that the sender has announced; undefined: none. */
  readonly expectedBytes: number | undefined;
  /** The size of the content, unpacked; undefined until it is known. */
  readonly contentBytes: number | undefined;
  readonly progress: UploadProgress;
  readonly createdAtMs: number;
  /** When bytes were last received or rows last read. */
  readonly changedAtMs: number;
  readonly finishedAtMs: number | undefined;
}

/** The source of an upload's records, in messages and in the quarantine. */
export function uploadSourceId(contentId: string): string {
  return `upload:${contentId}`;
}
