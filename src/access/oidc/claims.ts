import { shortened } from "../../domain/cut-text.ts";
import { visible } from "../../domain/visible-text.ts";
import type { SignedIn } from "../sessions.ts";

/** Texts are cut to this many characters. A subject is never cut: another one could then be the same. */
const nameMaxLength = 256;
const subjectMaxLength = 255;
const maxGroups = 1000;
/** A longer one fits no entry of the mapping file. */
const groupMaxLength = 1000;

/** The claims of a token or of the provider's answer. */
export type Claims = Readonly<Record<string, unknown>>;

/** Who someone is, by the claims of a token that was checked.
 *  @returns undefined without a subject, or with one that PostgreSQL cannot store */
export function signedInBy(claims: Claims, groupsClaim: string): SignedIn | undefined {
  const { sub, preferred_username: username, email, name: fullName } = claims;
  if (typeof sub !== "string" || !isStorable(sub) || sub.length > subjectMaxLength) return undefined;
  const shown =
    [username, email, fullName].find((text): text is string => typeof text === "string" && text !== "") ?? sub;
  // people choose their names, and one may look like another person's
  const name = shortened(visible(shown), nameMaxLength);
  return { subject: sub, name, groups: groupsIn(claims, groupsClaim) ?? [] };
}

/** The groups of the claim: a list of texts, or one text. A name with dots is also a path to a claim in others.
 *  @returns undefined if there is no such claim */
export function groupsIn(claims: Claims, groupsClaim: string): readonly string[] | undefined {
  const value = claims[groupsClaim] ?? valueAt(claims, groupsClaim.split("."));
  if (typeof value === "string") return isUsableGroup(value) ? [value] : [];
  if (!Array.isArray(value)) return undefined;
  return value
    .filter((group): group is string => typeof group === "string" && isUsableGroup(group))
    .slice(0, maxGroups);
}

function isUsableGroup(group: string): boolean {
  return isStorable(group) && group.length <= groupMaxLength;
}

/** False for an empty text, and for what PostgreSQL cannot store: NUL, and half of a surrogate pair. */
function isStorable(text: string): boolean {
  return text !== "" && !text.includes("\0") && text.isWellFormed();
}

function valueAt(claims: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Claims)[name] : undefined,
    claims,
  );
}
