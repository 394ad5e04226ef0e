import type { InputTally, RecordBatch, RejectedInput } from "../../domain/batch.ts";
import { TelemetryError } from "../../domain/errors.ts";
import type { FutureRecords } from "../../domain/future-records.ts";
import type { OwnMetric } from "./own-metrics.ts";

/** How the records of a body are written. */
export type PushFormat = "json" | "ndjson" | "csv";

/** The body of a push, as it arrives. */
export interface PushedBody {
  readonly format: PushFormat;
  /** How the body says that it is packed; a body that does not say so may be packed, too. */
  readonly packing: "gzip" | "zstd" | undefined;
  readonly bytes: ReadableStream<Uint8Array>;
  /** The cluster of records that name none. */
  readonly clusterId: string;
  /** The host of records that name none; undefined: these are rejected. */
  readonly hostname: string | undefined;
}

/** Members or columns of pushed records that are not read, by name; it may grow while a body is read. */
export type Unread = ReadonlySet<string>;

/** A body that is being read. */
export interface ReadBody {
  /** The same body gives the same batches. @throws UnusablePush; the signal's reason if it aborts */
  readonly batches: AsyncIterable<RecordBatch>;
  readonly unread: Unread;
}

/** Bytes of a body, as they come. */
export type BodyChunks = AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;

/** Reads a body in bounded memory.
 *  @param bytes those of the body; the reader does not take them from the body itself */
export type ReadPush<Body = PushedBody> = (body: Body, bytes: BodyChunks, signal: AbortSignal) => ReadBody;

/** The body of a push cannot be used, or not from a place on: what was before it is used. */
export class UnusablePush extends TelemetryError {
  readonly code = "unusable_push";
  readonly retryable = false;

  constructor(
    readonly problem: "malformed" | "too_large" | "incomplete",
    message: string,
  ) {
    super(message);
  }
}

/** The queue has no room for a push, or has had none for the rest of it. */
export class PushRefused extends TelemetryError {
  readonly code = "push_refused";
  readonly retryable = true;

  constructor(
    message: string,
    readonly retryAfterSeconds: number,
  ) {
    super(message);
  }
}

/** A process that has just started lacks what other series of an exporter say about these samples. Sent again, they are taken. */
export class AwaitsSeries extends TelemetryError {
  readonly code = "awaits_series";
  readonly retryable = true;
}

/** No collector reads the queue of this process, or its store. */
export class NoCollector extends TelemetryError {
  readonly code = "no_collector";
  readonly retryable = false;
}

/** A push: what was sent, and by whom. */
export interface Push<Body = PushedBody> {
  readonly body: Body;
  /** Whose turns it takes: clients take turns. */
  readonly client: string;
  /** The name under which the input is kept: in messages, in the quarantine. */
  readonly sourceId: string;
  /** The sender's name for this push: sent twice with the same content, it is stored once. Undefined: the content is its name. */
  readonly idempotencyKey: string | undefined;
  /** The sender's header of that name: the trace that the push is a part of. */
  readonly traceparent?: string | undefined;
}

/** What has become of a push. */
export interface PushResult {
  /** The push's name in the quarantine, which follows from its content and its sender; undefined if it has no message. */
  readonly pushId: string | undefined;
  /** Rows, and what was in them, of all messages. */
  readonly tally: InputTally;
  readonly records: number;
  readonly messages: number;
  /** Messages that the queue had already. */
  readonly duplicateMessages: number;
  readonly rejectedCount: number;
  /** The first of them. */
  readonly rejected: readonly RejectedInput[];
  readonly unread: readonly string[];
  /** The metrics that are not in the catalogue, by name. */
  readonly ownMetrics: readonly OwnMetric[];
  /** Undefined if no record is of the future. */
  readonly future: FutureRecords | undefined;
  /** Why the rest of the body was not read; undefined if all of it was. */
  readonly problem: UnusablePush | undefined;
}

/** Takes pushed telemetry into the queue. */
export interface PushIntake<Body = PushedBody> {
  /** Resolves when the messages outlive this process.
   *  @throws UnusablePush if no part of the body can be used; PushRefused; the errors of the queue; the signal's reason if it aborts.
   *    A part of the push may be in the queue then, and the same push again adds what is missing */
  take(push: Push<Body>, signal: AbortSignal): Promise<PushResult>;
}
