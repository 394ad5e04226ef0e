/** What a key may do. No scope implies another one: a key that may do several things has several scopes. A key with `admin` can
 *  create keys with any scope, and the audit log then shows that it did. */
export const scopes = ["read", "write", "operate", "admin"] as const;

export type Scope = (typeof scopes)[number];

/** The meaning of each scope, for people. */
export const scopeMeanings: Readonly<Record<Scope, string>> = {
  read: "read the fleet, its history and the pipeline's state",
  write: "push telemetry",
  operate:
    "change the pipeline: redrive and delete dead letters and rejected inputs, change the inventory, acknowledge and silence faults",
  admin: "create, list and revoke keys, read the audit log",
};

/** The scopes that a caller with a selector may have. With `operate`, it may acknowledge and silence its own faults, and no more. */
const boundScopes: readonly Scope[] = ["read", "operate"];

/** @returns why a caller with a selector cannot have all of these scopes; undefined if it can */
export function selectorProblem(granted: readonly Scope[]): string | undefined {
  const others = granted.filter((scope) => !boundScopes.includes(scope));
  if (others.length === 0) return undefined;
  return `with a selector, the only scopes are ${boundScopes.join(" and ")}: ${others.join(", ")} would reach beyond it`;
}

/** @returns false if the text is not the name of a scope */
export function isScope(text: unknown): text is Scope {
  return scopes.some((scope) => scope === text);
}
