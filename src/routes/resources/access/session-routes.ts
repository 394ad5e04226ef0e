import { listInFormat } from "../../http/formats/list-in-format.ts";
import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { SessionAdministration } from "../../../access/session-store.ts";
import type { StoredSession } from "../../../domain/session.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { notFound } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { limit, nameOf, noQuery } from "../../http/parameters/common.ts";
import { instant, single } from "../../schemas/envelope.ts";

/** A session of a person. */
export const sessionSchema = Type.Object(
  {
    id: Type.String({ description: "Identifies the session; no secret" }),
    subject: Type.String({ description: "The person, as the OpenID provider names them" }),
    name: Type.String({ description: "The person's name" }),
    groups: Type.Array(Type.String(), { description: "The person's groups when they signed in" }),
    created_at: instant("When the person signed in"),
    expires_at: instant("When the session expires"),
  },
  {
    $id: "Session",
    additionalProperties: false,
    description: "A person who is signed in",
    examples: [
      {
        id: "9d41c7a05e",
        subject: "248289761001",
        name: "alice",
        groups: ["gpu-operators"],
        created_at: "2025-07-18T20:50:02Z",
        expires_at: "2025-07-19T08:50:02Z",
      },
    ],
  },
);

/** The routes of sessions. */
export function sessionRoutes(sessions: SessionAdministration) {
  return new Elysia({ name: "sessions", prefix: "/api/v1/sessions" })
    .get(
      "",
      async ({ request, query }) => {
        const elements = (await sessions.list(query.limit)).map(toApiSession);
        const more = { total: elements.length < query.limit ? elements.length : undefined };
        return listInFormat(request, { elements, schema: sessionSchema, more });
      },
      {
        ...accepts({ limit: limit({ meaning: "At most this many sessions, the newest ones" }) }),
        detail: listDetail,
      },
    )
    .delete("/:session_id", async ({ params }) => single(toApiSession(await ended(sessions, params.session_id))), {
      ...acceptsAt({ session_id: nameOf("The session's id", "9d41c7a05e") }, noQuery),
      detail: endDetail,
    });
}

/** @throws ApiError 404 if there is no such session */
async function ended(sessions: SessionAdministration, id: string): Promise<StoredSession> {
  const session = await sessions.revoke(id);
  if (session === undefined) throw notFound("session", { id });
  return session;
}

function toApiSession({ id, subject, name, groups, ...at }: StoredSession): Static<typeof sessionSchema> {
  const [created, expires] = [formatTimestamp(at.createdAtMs), formatTimestamp(at.expiresAtMs)];
  return { id, subject, name, groups: [...groups], created_at: created, expires_at: expires };
}

const listDetail = operation({
  id: "listSessions",
  tag: "access",
  access: { scope: "admin" },
  summary: "People who are signed in",
  description: "The sessions that have not ended or expired, the newest first.",
  part: sessionSchema,
  errors: [400, 500, 503],
});

const endDetail = operation({
  id: "endSession",
  tag: "access",
  access: { scope: "admin" },
  summary: "End a person's session",
  description:
    "Within 5 s, every gateway refuses the session and ends its WebSockets, subscriptions and exports. The person can sign in again: " +
    "what groups may do is in AUTH_MAPPING_FILE.",
  single: sessionSchema,
  errors: [400, 404, 413, 415, 500, 503],
});
