import type { KeyGrant } from "../../../src/access/caller.ts";
import { type Scope, scopes } from "../../../src/access/scope.ts";
import type { AccessRule } from "../../../src/routes/http/access/access-rule.ts";
import type { securedParts } from "./secured-gateway.ts";

/** Someone who asks, with what is sent. */
export interface Asking {
  readonly name: string;
  readonly headers: Record<string, string>;
  /** Undefined: no valid key. */
  readonly grant: Pick<KeyGrant, "scopes" | "selector"> | undefined;
}

/** The namespace of the key with a selector; no GPU of the test's fleet is in it. */
const ownNamespace = "another-team";

/** One of each kind of caller: without a key, with a key of each scope alone, with one that is not valid for each reason, and with
 *  one that has a selector. */
export async function everyCaller({ create, parts }: ReturnType<typeof securedParts>): Promise<Asking[]> {
  const { keys } = parts.administration;
  const invalid = (name: string, text: string): Asking => ({ name, headers: bearer(text), grant: undefined });
  const withScope = async (scope: Scope): Promise<Asking> => {
    const { headers } = await create(scope);
    return { name: `a key with ${scope}`, headers, grant: { scopes: [scope] } };
  };
  const expired = await keys.create({ name: "expired", scopes, expiresAtMs: Date.now() - 1 });
  const revoked = await create(...scopes);
  await keys.revoke(revoked.id);
  const valid = await create(...scopes);
  const bound = { scopes: ["read", "operate"], selector: { namespaces: [ownNamespace] } } as const;
  const { text } = await keys.create({ name: "team", expiresAtMs: undefined, ...bound });
  return [
    { name: "no key", headers: {}, grant: undefined },
    ...(await Promise.all(scopes.map(withScope))),
    invalid("an expired key", expired.text),
    invalid("a revoked key", revoked.text),
    invalid("a key with an unknown id", `gtp_0000000000_${"s".repeat(43)}`),
    invalid("a key with a wrong secret", `gtp_${valid.id}_${"s".repeat(43)}`),
    { name: "a key with a selector", headers: bearer(text), grant: bound },
  ];
}

/** What the rule says about a caller: the status of its refusal, or undefined if it is not refused. */
export function refusalOf(rule: AccessRule, { grant }: Pick<Asking, "grant">): 401 | 403 | undefined {
  if (rule.scope === "open") return undefined;
  if (grant === undefined) return 401;
  if (rule.scope === "any") return undefined;
  if (!grant.scopes.includes(rule.scope)) return 403;
  const { selectors = "refused" } = rule;
  return grant.selector !== undefined && selectors === "refused" ? 403 : undefined;
}

function bearer(text: string): Record<string, string> {
  return { authorization: `Bearer ${text}` };
}
