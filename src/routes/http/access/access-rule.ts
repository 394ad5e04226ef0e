import type { OpenPage } from "../../../access/access.ts";
import type { Scope } from "../../../access/scope.ts";

/** What a route asks of its callers: a key with the scope, any valid key (the route's fields or messages have scopes of their
 *  own), or nothing (`open`). An operator may open a page to everyone. */
export interface AccessRule {
  readonly scope: Scope | "any" | "open";
  readonly page?: OpenPage;
}

/** The member of a route's `detail` that has its rule. */
export const ruleMember = "x-access";

/** The `detail` of a route that the OpenAPI document does not have. */
export function hiddenDetail(rule: AccessRule) {
  return { hide: true, [ruleMember]: rule } as const;
}

/** The part of a route, as Elysia lists it, that has its rule. */
export interface RuledRoute {
  readonly method: string;
  readonly path: string;
  readonly hooks?: unknown;
}

/** @returns the rule of a route, and the name of what it does; undefined if the route declares no rule */
export function ruleOf({ method, path, hooks }: RuledRoute): (AccessRule & { readonly action: string }) | undefined {
  const { detail } = (hooks ?? {}) as { readonly detail?: Detail };
  const rule = detail?.[ruleMember];
  return rule && { ...rule, action: detail?.operationId ?? `${method} ${path}` };
}

interface Detail {
  readonly operationId?: string;
  readonly [ruleMember]?: AccessRule;
}
