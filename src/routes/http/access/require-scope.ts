import type { Caller } from "../../../access/caller.ts";
import { type Scope, scopeMeanings } from "../../../access/scope.ts";
import { ApiError } from "../api-error.ts";

/** @throws ApiError 403 if the caller lacks the scope */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.may(scope)) return;
  const { name, scopes } = caller.grant;
  throw new ApiError(403, "forbidden", {
    message: `The key ${JSON.stringify(name)} has the scope ${scopes.join(", ")}; this needs ${scope} (${scopeMeanings[scope]})`,
    details: { needed: scope, scopes },
  });
}
