import { Elysia } from "elysia";
import { type Access, anyone } from "../../../access/access.ts";
import type { Caller } from "../../../access/caller.ts";
import { ApiError } from "../api-error.ts";
import { type AccessRule, ruleOf, type RuledRoute } from "./access-rule.ts";
import { noteCaller } from "./callers.ts";
import { keyIn, ticketIn } from "./credentials.ts";
import { requireScope } from "./require-scope.ts";

/** Basic comes first, because browsers ask for a password only if they find it first. */
const challenge = 'Basic realm="gpu-telemetry", charset="UTF-8", Bearer realm="gpu-telemetry"';

/** Refuses requests whose caller may not use their route: 401 without a valid key, 403 without the route's scope. Every route must
 *  declare its rule; a route that has none is refused. The check is a hook of the matched route, so that what is checked is what
 *  answers. Mount it before the routes.
 *  @param routes returns every route of the app; called only after the app is composed */
export function accessCheck({
  access,
  routes,
}: {
  readonly access: Access;
  readonly routes: () => readonly RuledRoute[];
}) {
  let rules: ReadonlyMap<string, AccessRule | undefined> | undefined;
  const ruleAt = (method: string, path: string): AccessRule => {
    rules ??= new Map(routes().map((route) => [`${route.method} ${route.path}`, ruleOf(route)]));
    const rule = rules.get(`${method === "HEAD" ? "GET" : method} ${path}`);
    if (rule === undefined) throw new Error(`${method} ${path} declares no access rule`);
    return rule;
  };
  return new Elysia({ name: "access" }).onTransform({ as: "global" }, async ({ request, route, set }) => {
    if (!access.isRequired) return noteCaller(request, anyone);
    const { scope, page } = ruleAt(request.method.toUpperCase(), route);
    if (scope === "open" || (page !== undefined && access.openPages.includes(page))) return;
    const caller = await callerIn(request, access);
    if (caller === undefined) {
      set.headers["www-authenticate"] = challenge;
      throw unauthenticated(request.headers.has("authorization"));
    }
    noteCaller(request, caller);
    if (scope !== "any") requireScope(caller, scope);
  });
}

async function callerIn(request: Request, access: Access): Promise<Caller | undefined> {
  const authorization = request.headers.get("authorization");
  if (authorization !== null) {
    const key = keyIn(authorization);
    return key === undefined ? undefined : access.authenticate(key);
  }
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const ticket = ticketIn(request.url);
  return ticket === undefined ? undefined : access.redeem(ticket);
}

/** The same for every key that is not valid: an unknown one, one with a wrong secret, and one that was revoked or has expired. */
function unauthenticated(isGiven: boolean): ApiError {
  const message = isGiven
    ? "The key is not valid; send a valid one as Authorization: Bearer KEY, or as the password of Basic authentication"
    : "This needs a key; send it as Authorization: Bearer KEY, or as the password of Basic authentication";
  return new ApiError(401, "unauthenticated", { message, details: {} });
}
