import { Elysia } from "elysia";
import type { AuditStore } from "../../../access/audit.ts";
import { defined } from "../../../kit/defined.ts";
import type { Row } from "../../http/formats/columns.ts";
import { formatOf } from "../../http/formats/negotiate.ts";
import { rowAnswer } from "../../http/formats/row-answer.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { limit } from "../../http/parameters/common.ts";
import { integer, optional } from "../../http/parameters/parameter.ts";
import { list } from "../../schemas/envelope.ts";
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
      const format = formatOf(request);
      const entries = (await audit.list(query.limit, query.cursor)).map(toApiAuditEntry);
      const next = entries.length < query.limit ? undefined : entries.at(-1)?.id;
      if (format === "json") return { ...list(entries), ...defined({ next_cursor: next?.toString() }) };
      return rowAnswer({ request, format, columns: Object.keys(auditEntrySchema.properties), parts: onePart(entries) });
    },
    { ...accepts(auditQuery), ...rowsUnread, detail },
  );
}

async function* onePart(rows: readonly Row[]): AsyncGenerator<readonly Row[], void> {
  yield await Promise.resolve(rows);
}

const detail = operation({
  id: "listAudit",
  tag: "access",
  access: { scope: "admin" },
  summary: "Audit log",
  description:
    "Who changed what, and who was refused, the newest first. A change is in the list within a second; equal refusals of a minute are one " +
    "entry, at the end of the minute.",
  part: auditEntrySchema,
  alsoAsRows: true,
  errors: [400, 500, 503],
});
