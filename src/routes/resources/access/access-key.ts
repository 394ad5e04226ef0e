import { type Static, Type } from "@sinclair/typebox";
import { type StoredKey } from "../../../access/key-store.ts";
import { scopes } from "../../../access/scope.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import { instant } from "../../schemas/envelope.ts";
import { selectorSchema } from "./selector.ts";

const fields = {
  id: Type.String({ description: "Identifies the key; the part of it between gtp_ and the secret" }),
  name: Type.String({ description: "What the key is for" }),
  scopes: Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), {
    description: "What the key may do; no scope implies another one",
  }),
  selector: Type.Optional(selectorSchema),
  created_at: instant("When the key was created"),
  expires_at: Type.Optional(instant("When the key expires; absent: never")),
  revoked_at: Type.Optional(instant("When the key was revoked; absent: it is not")),
  last_used_at: Type.Optional(instant("When the key was last used, to about a minute; absent: never")),
};

const example = {
  id: "3f9ac02b1d",
  name: "grafana",
  scopes: ["read"],
  created_at: "2025-07-18T20:42:34Z",
};

/** A stored key, without its secret. */
export const accessKeySchema = Type.Object(fields, {
  $id: "AccessKey",
  additionalProperties: false,
  description: "A key, without its secret",
  examples: [{ ...example, last_used_at: "2025-07-18T20:50:02Z" }],
});

/** A key at the only time when its text is shown. */
export const newAccessKeySchema = Type.Object(
  {
    key: Type.String({ description: "The key itself; it is not stored, and is shown only now" }),
    ...fields,
    replaces: Type.Optional(
      Type.Object(
        { id: fields.id, expires_at: instant("When it expires") },
        { additionalProperties: false, description: "The key that this one replaces" },
      ),
    ),
  },
  {
    $id: "NewAccessKey",
    additionalProperties: false,
    description: "A new key",
    examples: [{ key: "gtp_3f9ac02b1d_...", ...example }],
  },
);

/** A ticket for a WebSocket. */
export const ticketSchema = Type.Object(
  {
    ticket: Type.String({ description: "Goes into the URL of one WebSocket, as the parameter ticket" }),
    expires_in_seconds: Type.Number({ description: "How long the ticket is valid if it is not used" }),
  },
  {
    $id: "Ticket",
    additionalProperties: false,
    description: "Opens one WebSocket",
    examples: [{ ticket: "wTm2...", expires_in_seconds: 30 }],
  },
);

/** A stored key in the API's shape. */
export function toApiKey(key: StoredKey): Static<typeof accessKeySchema> {
  const { id, name, selector, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs } = key;
  const at = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : formatTimestamp(ms));
  return {
    id,
    name,
    scopes: [...key.scopes],
    ...(selector === undefined ? {} : { selector: selectorOf(selector) }),
    created_at: formatTimestamp(createdAtMs),
    ...defined({ expires_at: at(expiresAtMs), revoked_at: at(revokedAtMs), last_used_at: at(lastUsedAtMs) }),
  };
}

function selectorOf({ clusters, hosts, namespaces }: GpuBounds): Static<typeof selectorSchema> {
  return defined({
    clusters: clusters && [...clusters],
    hosts: hosts && [...hosts],
    namespaces: namespaces && [...namespaces],
  });
}

/** The end of a key that another one replaces, which has one. */
export function endOf({ id, expiresAtMs = 0 }: StoredKey) {
  return { id, expires_at: formatTimestamp(expiresAtMs) };
}
