import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Caller } from "../../../access/caller.ts";
import { scopes } from "../../../access/scope.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import { requesterOf } from "../../http/access/requester.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { instant, single } from "../../schemas/envelope.ts";
import { selectorSchema } from "./selector.ts";

const kinds = ["anyone", "key", "session", "token", "certificate"] as const satisfies readonly Caller["kind"][];

/** Who sends a request. */
export const meSchema = Type.Object(
  {
    kind: Type.Union(
      kinds.map((kind) => Type.Literal(kind)),
      {
        description: "How the caller was identified; anyone: this gateway requires no key",
      },
    ),
    id: Type.String({ description: "The key's id, or oidc: or certificate: and the subject; empty for anyone" }),
    name: Type.String({ description: "What the key is for, the person's name, or the certificate's subject" }),
    scopes: Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), {
      description: "What the caller may do; no scope implies another one",
    }),
    selector: Type.Optional(selectorSchema),
    expires_at: Type.Optional(instant("When the key, the session or the token expires; absent: never")),
  },
  {
    $id: "Me",
    additionalProperties: false,
    description: "Who sends a request, and what the caller may do",
    examples: [
      { kind: "session", id: "oidc:248289761001", name: "alice", scopes: ["read"], expires_at: "2025-07-19T08:50:02Z" },
    ],
  },
);

/** The route that tells callers who they are. */
export function meRoutes() {
  return new Elysia({ name: "me", prefix: "/api/v1/me" }).get(
    "",
    ({ request, set }) => {
      set.headers["cache-control"] = "no-store";
      return single(toApiCaller(requesterOf(request).caller));
    },
    { ...accepts(noQuery), detail },
  );
}

function toApiCaller({ kind, grant }: Caller): Static<typeof meSchema> {
  const { id, name, expiresAtMs } = grant;
  const expires = expiresAtMs === undefined ? undefined : formatTimestamp(expiresAtMs);
  return {
    kind,
    id,
    name,
    scopes: [...grant.scopes],
    ...defined({ selector: grant.selector && structuredClone(grant.selector), expires_at: expires }),
  } as Static<typeof meSchema>;
}

const detail = operation({
  id: "getMe",
  tag: "access",
  access: { scope: "any" },
  summary: "The caller of this request",
  description: "The name of the key or person, what it may do and see, and when it expires.",
  single: meSchema,
  errors: [400, 500],
});
