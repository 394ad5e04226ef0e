import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { AuditStore } from "../../../access/audit.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { limit } from "../../http/parameters/common.ts";
import { integer, optional } from "../../http/parameters/parameter.ts";
import { auditEntrySchema, toApiAuditEntry } from "./audit-entry.ts";

const auditQuery = {
  limit: limit({ meaning: "At most this many entries, the newest ones" }),
  cursor: optional(
    integer({
      minimum: 1,
      maximum: 999_999_999_999_999,
      description: "next_cursor of the previous answer; selects the entries before it",
    }),
  ),
};

/** The route of the audit log. */
export function auditRoutes(audit: Pick<AuditStore, "list">) {
  return new Elysia({ name: "audit", prefix: "/api/v1/audit" }).get(
    "",
    async ({ request, query }) => {
      const entries = (await audit.list(query.limit, query.cursor)).map(toApiAuditEntry);
      const next = entries.length < query.limit ? undefined : entries.at(-1)?.id;
      const more = { next_cursor: next?.toString() };
      return listInFormat(request, { elements: entries, schema: auditEntrySchema, more });
    },
    { ...accepts(auditQuery), ...rowsUnread, detail },
  );
}

const detail = operation({
  id: "listAudit",
  tag: "access",
  access: { scope: "admin" },
  summary: "Audit log",
  description:
    "Who changed what, and who was refused, the newest first. A change appears within a second; equal refusals within a minute become one entry at its end.",
  part: auditEntrySchema,
  errors: [400, 500, 503],
});
