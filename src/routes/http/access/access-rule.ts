import type { OpenPage } from "../../../access/access.ts";
import type { Scope } from "../../../access/scope.ts";

/** What a caller with a selector gets: only what is within the selector, nothing (it is about the whole pipeline), or the same as
 *  everyone (no part of the fleet is in it). */
export type SelectorRule = "narrowed" | "refused" | "same";

/** What a field or a message asks of its callers. A change refuses callers with a selector, unless it says that it is narrowed. */
export type ScopeRule =
  | { readonly scope: "read"; readonly selectors: SelectorRule }
  | { readonly scope: "operate"; readonly selectors: "narrowed" }
  | { readonly scope: Exclude<Scope, "read">; readonly selectors?: never };

/** What a route asks of its callers: a scope, nothing but to be known (`any`: the route's fields or messages have rules of their
 *  own), or nothing at all (`open`). An operator may open a page to everyone. */
export type AccessRule = (ScopeRule | { readonly scope: "any" } | { readonly scope: "open" }) & {
  readonly page?: OpenPage;
  /** As how many requests of its address an open route counts; absent: none, because it costs nothing. */
  readonly countsAs?: number;
  /** True for the page where a browser asks for a key, even if people can sign in. */
  readonly asksForKey?: true;
};

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

/** The rules of the routes that the OpenAPI document does not have as operations, by method and path. */
export function hiddenRules(routes: readonly RuledRoute[]): Readonly<Record<string, AccessRule>> {
  const hidden = routes.filter(({ hooks }) => (hooks as { readonly detail?: Detail } | undefined)?.detail?.hide);
  return Object.fromEntries(
    hidden.flatMap((route) => {
      const { detail } = route.hooks as { readonly detail: Detail };
      const rule = detail[ruleMember];
      return rule === undefined ? [] : [[`${route.method} ${route.path}`, rule]];
    }),
  );
}

interface Detail {
  readonly hide?: boolean;
  readonly operationId?: string;
  readonly [ruleMember]?: AccessRule;
}
