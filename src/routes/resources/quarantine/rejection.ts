import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../../../domain/batch.ts";
import type { StoredRejection } from "../../../domain/query.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** A rejected input as the API shows it. */
export const rejectionSchema = Type.Object(
  {
    id: wholeNumber({ minimum: 1, description: "Number of the input in the quarantine" }),
    source_id: Type.String({ description: "Source of the input" }),
    line: wholeNumber({ minimum: 0, description: "Line in the file, from 1; 0 if the input is not a line of a file" }),
    byte: wholeNumber({
      minimum: 0,
      description:
        "Offset of the row's first byte in the file; for a record or sample of a message, its index in the message; 0 for an input of a live source",
    }),
    reason: Type.Union(
      rejectReasons.map((reason) => Type.Literal(reason)),
      { description: "Why the input was rejected" },
    ),
    field: Type.String({ description: "The column with the error; empty if the whole row is wrong" }),
    value: Type.String({ description: "The rejected value, cut to 200 characters" }),
    message: Type.String({ description: "One sentence that explains the error" }),
    raw: Type.String({ description: "The row as it was read, or a record or sample as JSON; cut to 2,000 characters" }),
    seen_at: instant("When the input was put into quarantine"),
    push_id: Type.Optional(
      Type.String({
        description: "The push that it came in; absent for an input of a file, an upload or a live source",
      }),
    ),
  },
  {
    $id: "Rejection",
    additionalProperties: false,
    description: "An input that was rejected",
    examples: [
      {
        id: 7,
        source_id: "csv:dcgm_metrics.csv",
        line: 17,
        byte: 4211,
        reason: "value_out_of_range",
        field: "value",
        value: "345",
        message: 'The value "345" of temperature is outside its range: -40 to 150 celsius.',
        raw: '"2025-07-18T20:42:34Z","DCGM_FI_DEV_GPU_TEMP","0",...,"345",...',
        seen_at: "2025-07-18T20:50:00Z",
      },
    ],
  },
);

/** A rejected input in the API's shape. */
export function toApiRejection(rejection: StoredRejection): Static<typeof rejectionSchema> {
  const { sourceId, seenAtMs, pushId, ...input } = rejection;
  const { id, line, byte, reason, field, value, message, raw } = input;
  const seenAt = formatTimestamp(seenAtMs);
  const push = defined({ push_id: pushId ?? undefined });
  return { id, source_id: sourceId, line, byte, reason, field, value, message, raw, seen_at: seenAt, ...push };
}
