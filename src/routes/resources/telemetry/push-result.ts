import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../../../domain/batch.ts";
import type { PushResult } from "../../../pipeline/source/push.ts";
import { wholeNumber } from "../../schemas/envelope.ts";

const counted = (description: string) => wholeNumber({ minimum: 0, description });

const rejectedSchema = Type.Object(
  {
    line: counted("Line of the body, from 1; 0 in JSON"),
    index: counted("Number of the record in the body, from 0; in CSV, offset of the row's first byte"),
    reason: Type.Union(
      rejectReasons.map((reason) => Type.Literal(reason)),
      { description: "Why it was rejected" },
    ),
    field: Type.String({ description: "The member or column with the error; empty if the whole record is wrong" }),
    value: Type.String({ description: "The rejected value, cut to 200 characters" }),
    message: Type.String({ description: "One sentence that explains the error" }),
  },
  { additionalProperties: false },
);

/** What has become of a push, as the API shows it. */
export const pushResultSchema = Type.Object(
  {
    source_id: Type.String({ description: "Name under which the quarantine lists what was rejected" }),
    rows: counted("Records or rows in the body, the rejected ones included"),
    records: counted("Records that will be stored: one for each GPU and instant"),
    samples: counted("Values in them"),
    missing: counted("Cells without a value, such as null and N/A"),
    duplicates: counted("Values that the body has more than once"),
    conflicts: counted("Values that differ from another one of the same GPU, instant and metric; the greatest is kept"),
    rejected_count: counted("Records and values that were rejected, and are in the quarantine"),
    rejected: Type.Array(rejectedSchema, { description: "The first 1,000 of them" }),
    unread: Type.Array(Type.String(), { description: "Members or columns that were not read" }),
    messages: counted("Messages that carry the push"),
    duplicate_messages: counted(
      "Those of them that the queue already had: the push was sent before, partly or completely",
    ),
  },
  {
    $id: "PushResult",
    additionalProperties: false,
    description: "Result of a push",
    examples: [
      {
        ...{ source_id: "push:ci", rows: 3, records: 2, samples: 11, missing: 1, duplicates: 0, conflicts: 0 },
        rejected_count: 1,
        rejected: [
          {
            ...{ line: 3, index: 2, reason: "missing_field", field: "uuid", value: "" },
            message: 'The field "uuid" is empty.',
          },
        ],
        ...{ unread: [], messages: 1, duplicate_messages: 0 },
      },
    ],
  },
);

/** A push's result in the API's shape. */
export function toApiPush(sourceId: string, result: Omit<PushResult, "problem">): Static<typeof pushResultSchema> {
  const { tally, records, messages, duplicateMessages, rejectedCount, rejected, unread } = result;
  const { rows, samples, missing, duplicates, conflicts } = tally;
  return {
    source_id: sourceId,
    ...{ rows, records, samples, missing, duplicates, conflicts, rejected_count: rejectedCount },
    rejected: rejected.map(({ line, byte, reason, field, value, message }) => {
      return { line, index: byte, reason, field, value, message };
    }),
    ...{ unread: [...unread], messages, duplicate_messages: duplicateMessages },
  };
}
