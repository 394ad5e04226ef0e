import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { KeyAdministration, KeyRequest } from "../../../access/key-administration.ts";
import { keyNameMaxLength, keyNameProblem } from "../../../access/key-name.ts";
import type { StoredKey } from "../../../access/key-store.ts";
import { isScope, scopes } from "../../../access/scope.ts";
import { type Tickets, ticketLifeSeconds } from "../../../access/tickets.ts";
import type { Clock } from "../../../kit/clock.ts";
import { StoreRejected } from "../../../domain/errors.ts";
import type { Instant } from "../../../domain/timestamp.ts";
import { requesterOf } from "../../http/access/requester.ts";
import { ApiError, InvalidParameter, notFound } from "../../http/api-error.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { limit, nameOf, noQuery } from "../../http/parameters/common.ts";
import {
  instant,
  integer,
  listOf,
  optional,
  text,
  type ValuesOf,
  withDefault,
} from "../../http/parameters/parameter.ts";
import { single } from "../../schemas/envelope.ts";
import { accessKeySchema, newAccessKeySchema, ticketSchema, toApiKey, endOf } from "./access-key.ts";
import { selectorIn, selectorQuery } from "./selector.ts";

const anyName = text({ maxLength: keyNameMaxLength, description: "What the key is for", example: "grafana" });
const keyName: typeof anyName = {
  ...anyName,
  read: (given) => {
    const problem = keyNameProblem(given);
    return problem === undefined ? anyName.read(given) : { problem };
  },
};

const createQuery = {
  name: keyName,
  scopes: listOf(scopes, {
    noun: "scope",
    source: scopes.join(", "),
    maxItems: scopes.length,
    meaningOf: (item) => item,
    description: ({ listSuffix }) =>
      `What the key may do: names from ${scopes.join(", ")}${listSuffix}; none implies another`,
    example: "read",
  }),
  expires_at: optional(instant("When the key expires; absent: never")),
  ...selectorQuery,
};

const keyParams = { key_id: nameOf("The key's id", "3f9ac02b1d") };

const rotateQuery = {
  overlap_seconds: withDefault(
    integer({
      minimum: 0,
      maximum: 2_592_000,
      description: "How long the old key stays valid, at most 30 days; default 3600",
    }),
    3600,
  ),
};

const noStore = { "cache-control": "no-store" };

/** The routes of keys. */
export function keyRoutes(keys: KeyAdministration, clock: Clock) {
  return new Elysia({ name: "keys", prefix: "/api/v1/keys" })
    .get(
      "",
      async ({ request, query }) => {
        const elements = (await keys.list(query.limit)).map(toApiKey);
        const more = { total: elements.length < query.limit ? elements.length : undefined };
        return listInFormat(request, { elements, schema: accessKeySchema, more });
      },
      { ...accepts(listQuery), ...rowsUnread, detail: listDetail },
    )
    .post(
      "",
      async ({ request, query, set }) => {
        const { key, text: secret } = await keys.create(keyIn(query, clock.nowMs())).catch(noRoom);
        Object.assign(set.headers, noStore);
        requesterOf(request).target = key.id;
        return single({ key: secret, ...toApiKey(key) });
      },
      { ...accepts(createQuery), detail: createDetail },
    )
    .delete("/:key_id", async ({ params }) => single(toApiKey(await revoked(keys, params.key_id))), {
      ...acceptsAt(keyParams, noQuery),
      detail: revokeDetail,
    })
    .post(
      "/:key_id/rotate",
      async ({ request, params: { key_id: id }, query, set }) => {
        const rotated = await keys.rotate(id, query.overlap_seconds).catch(noRoom);
        if (rotated === undefined) throw notFound("valid stored key", { id });
        Object.assign(set.headers, noStore);
        requesterOf(request).target = `${id}, replaced by ${rotated.key.id}`;
        return single({ key: rotated.text, ...toApiKey(rotated.key), replaces: endOf(rotated.old) });
      },
      { ...acceptsAt(keyParams, rotateQuery), detail: rotateDetail },
    );
}

/** The route that gives tickets for WebSockets. */
export function ticketRoutes(tickets: Tickets) {
  return new Elysia({ name: "tickets", prefix: "/api/v1/tickets" }).post(
    "",
    async ({ request, set }) => {
      const ticket = await tickets.issue(requesterOf(request).caller);
      Object.assign(set.headers, noStore);
      return single({ ticket, expires_in_seconds: ticketLifeSeconds });
    },
    { ...accepts(noQuery), detail: ticketDetail },
  );
}

/** @throws ApiError 404 if there is no such key */
async function revoked(keys: KeyAdministration, id: string): Promise<StoredKey> {
  const key = await keys.revoke(id);
  if (key === undefined) throw notFound("stored key", { id });
  return key;
}

const listQuery = { limit: limit({ meaning: "At most this many keys, the newest ones" }) };

/** @throws ApiError 503 instead of StoreRejected */
function noRoom(error: unknown): never {
  if (!(error instanceof StoreRejected)) throw error;
  throw new ApiError(503, "no_room", { message: error.message, details: {} });
}

/** The key that a request asks for. @throws InvalidParameter if there can be no such key */
function keyIn(query: ValuesOf<typeof createQuery>, nowMs: number): KeyRequest {
  const granted = query.scopes.filter(isScope);
  const selector = selectorIn({ ...query, scopes: granted });
  return { name: query.name, scopes: granted, selector, expiresAtMs: expiryIn(query, nowMs) };
}

/** @throws InvalidParameter if the expiry is not in the future */
function expiryIn({ expires_at: expiry }: { readonly expires_at: Instant | undefined }, nowMs: number) {
  if (expiry !== undefined && expiry.ms <= nowMs) {
    const expected = "an instant in the future";
    throw new InvalidParameter({ parameter: "expires_at", value: expiry.text, problem: "it has passed", expected });
  }
  return expiry?.ms;
}

const listDetail = operation({
  id: "listKeys",
  tag: "access",
  access: { scope: "admin" },
  summary: "Stored keys",
  description: "Stored keys, newest first, including revoked and expired ones; never their secrets.",
  part: accessKeySchema,
  errors: [400, 500, 503],
});

const createDetail = operation({
  id: "createKey",
  tag: "access",
  access: { scope: "admin" },
  summary: "Create a key",
  description:
    "Stores a new key. The answer has the key itself, which is shown only now. A key with clusters, hosts or namespaces sees only the GPUs that match every given list, and can only have the scope read.",
  single: newAccessKeySchema,
  errors: [400, 413, 415, 500, 503],
});

const revokeDetail = operation({
  id: "revokeKey",
  tag: "access",
  access: { scope: "admin" },
  summary: "Revoke a key",
  description:
    "Within 5 s, every gateway refuses the key and ends its WebSockets, subscriptions and exports. A key that was revoked stays revoked.",
  single: accessKeySchema,
  errors: [400, 404, 413, 415, 500, 503],
});

const rotateDetail = operation({
  id: "rotateKey",
  tag: "access",
  access: { scope: "admin" },
  summary: "Replace a key",
  description:
    "Stores a new key with the name, scopes, selector and expiry of a valid one, which itself ends after the overlap. The answer has the new " +
    "key itself, which is shown only now.",
  single: newAccessKeySchema,
  errors: [400, 404, 413, 415, 500, 503],
});

const ticketDetail = operation({
  id: "createTicket",
  tag: "access",
  access: { scope: "any" },
  summary: "A ticket for a WebSocket",
  description:
    "A browser cannot send a key with a WebSocket. A ticket in the URL (/ws?ticket=... or /graphql?ticket=...) opens one connection " +
    "for the key that asked for it, at any gateway.",
  single: ticketSchema,
  errors: [400, 413, 415, 500, 503],
});
