import { type Static, Type } from "@sinclair/typebox";
import type { StoredAuditEntry } from "../../../access/audit.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** An entry of the audit log as the API shows it. */
export const auditEntrySchema = Type.Object(
  {
    id: wholeNumber({ minimum: 1, description: "Number of the entry" }),
    at: instant("When the change was answered, or the first of the refusals"),
    key_id: Type.String({ description: "The key; empty if there was no valid one, or none is required" }),
    key_name: Type.String({ description: "The name of the key at that time" }),
    address: Type.String({ description: "The client's address" }),
    action: Type.String({ description: "The id of the operation, the field of GraphQL, or the message of /ws" }),
    target: Type.String({
      description:
        "What it was done to; for REST, the path, or the id of a new key; for a request that was refused for its host or origin, these",
    }),
    result: Type.String({
      description:
        "ok; the status or the code of an error; for a refusal unauthenticated, forbidden, host_not_allowed or cross_origin",
    }),
    count: wholeNumber({ minimum: 1, description: "Number of equal refusals within a minute" }),
  },
  {
    $id: "AuditEntry",
    additionalProperties: false,
    description: "A change, or refusals",
    examples: [
      {
        id: 17,
        at: "2025-07-18T20:42:34Z",
        key_id: "3f9ac02b1d",
        key_name: "operator",
        address: "10.0.0.7",
        action: "redriveDeadLetter",
        target: "/api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2/redrive",
        result: "ok",
        count: 1,
      },
    ],
  },
);

/** An entry in the API's shape. */
export function toApiAuditEntry(entry: StoredAuditEntry): Static<typeof auditEntrySchema> {
  const { id, atMs, keyId, keyName, ...rest } = entry;
  return { id, at: formatTimestamp(atMs), key_id: keyId, key_name: keyName, ...rest };
}
