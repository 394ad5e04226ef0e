import { quoted } from "../../../domain/cut-text.ts";
import { similarNames } from "../../../kit/similar-names.ts";

/** The most names that are suggested. */
const maxSuggested = 3;
/** The shortest part of a name that says which one may be meant, in characters. */
const minPart = 4;

/** The sentence about a name that is none of those known, with the ones that may be meant.
 *  @param noun what the names are names of */
export function unknownName(noun: string, name: string, known: readonly string[]): string {
  const near = suggested(name.trim().toLowerCase(), known);
  return `there is no ${noun} ${quoted(name)}${near.length === 0 ? "" : ` (did you mean ${near.join(" or ")}?)`}`;
}

/** The names that a misspelled or shortened name may mean, the likeliest first. */
function suggested(given: string, known: readonly string[]): string[] {
  const isPart = (other: string): boolean =>
    given.length >= minPart && (other.includes(given) || (other.length >= minPart && given.includes(other)));
  return [...new Set([...similarNames(given, known), ...known.filter(isPart)])].slice(0, maxSuggested);
}
