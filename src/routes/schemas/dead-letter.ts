import { type Static, Type } from "@sinclair/typebox";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { DeadLetter } from "../../pipeline/queue/queue.ts";
import { instant, wholeNumber } from "./envelope.ts";

/** A dead letter, as the API shows it. */
export const deadLetterSchema = Type.Object(
  {
    id: Type.String({ description: "The message's ULID" }),
    topic: Type.String({ description: "Queue that the message was in" }),
    attempts: wholeNumber({ minimum: 0, description: "Deliveries that failed" }),
    last_error: Type.String({ description: "Why the last delivery failed" }),
    dead_at: instant("When the message became a dead letter"),
    created_at: instant("When the message was published"),
    records: wholeNumber({ minimum: 0, description: "Records that the message carries" }),
    source_id: Type.String({ description: "Source of the records" }),
    source_from: wholeNumber({
      description:
        "Start of the message's range in the source: in a file, a byte offset; in a live source, milliseconds since the epoch",
    }),
    source_to: wholeNumber({ description: "End of the message's range, in the unit of source_from" }),
    schema_version: Type.String({ description: "Version of the payload's schema" }),
    encoding: Type.String({ description: "Encoding of the payload" }),
    trace_id: Type.String({
      description:
        "Trace id, the same for all messages of one batch: 32 hexadecimal digits, or a UUID in messages of earlier versions",
    }),
  },
  {
    $id: "DeadLetter",
    additionalProperties: false,
    description:
      "A message that was delivered QUEUE_MAX_ATTEMPTS times without success; its records may be missing in the store",
    examples: [
      {
        id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2",
        topic: "telemetry",
        attempts: 5,
        last_error: "the store refused the data: date/time field value out of range",
        dead_at: "2025-07-18T20:50:00Z",
        created_at: "2025-07-18T20:42:40Z",
        records: 988,
        source_id: "csv:dcgm_metrics.csv",
        source_from: 112,
        source_to: 1_048_576,
        schema_version: "v1",
        encoding: "json+zstd",
        trace_id: "0b0f7f1e3f7e4a9e9a582a3f5c1d9e77",
      },
    ],
  },
);

/** A dead letter in the API's shape. */
export function toApiDeadLetter({
  envelope,
  attempts,
  lastError,
  deadAtMs,
}: DeadLetter): Static<typeof deadLetterSchema> {
  const { id, topic, createdAtMs, count, source, schemaVersion, encoding, traceId } = envelope;
  return {
    id,
    topic,
    attempts,
    last_error: lastError,
    dead_at: formatTimestamp(deadAtMs),
    created_at: formatTimestamp(createdAtMs),
    records: count,
    source_id: source.sourceId,
    source_from: source.from.offset,
    source_to: source.to.offset,
    schema_version: schemaVersion,
    encoding,
    trace_id: traceId,
  };
}
