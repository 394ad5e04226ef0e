import { RE2JS } from "re2js";
import { badData } from "./promql-error.ts";
import type { Labels } from "./labels.ts";

/** How a matcher compares. */
export const matchOperators = ["=", "!=", "=~", "!~"] as const;
export type MatchOperator = (typeof matchOperators)[number];

/** A condition on a label of a series. */
export interface Matcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
  /** True if a series whose label has this text is selected; empty: the series has no such label. */
  readonly matches: (text: string) => boolean;
}

/** Texts of a label whose result a matcher keeps. */
const cacheMax = 10_000;

/** Makes a matcher. A regular expression has RE2's syntax, and has to match the whole text. It takes linear time: JavaScript's own
 *  expressions could take years.
 *  @throws PromqlError if the expression is not RE2's */
export function matcherOf(name: string, operator: MatchOperator, value: string): Matcher {
  if (operator === "=") return { name, operator, value, matches: (text) => text === value };
  if (operator === "!=") return { name, operator, value, matches: (text) => text !== value };
  const isMatch = cached(wholeMatch(value));
  return { name, operator, value, matches: operator === "=~" ? isMatch : (text) => !isMatch(text) };
}

/** Compiles a regular expression.
 *  @throws PromqlError if it is not RE2's */
export function compiled(expression: string): RE2JS {
  try {
    // Prometheus lets a dot match the end of a line, too
    return RE2JS.compile(expression, RE2JS.DOTALL);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const reason = text.replace(/^error parsing regexp: /, "").replace(/: `.*`$/s, "");
    throw badData(`error parsing regexp: ${reason}: \`${expression}\``);
  }
}

/** True if all matchers select the series. */
export function selectsLabels(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every(({ name, matches }) => matches(labels.get(name) ?? ""));
}

/** The only texts that a matcher can select, if it names them: those of `=`, and those of `a|b`.
 *  @returns undefined if it selects other texts, or a missing label */
export function textsOf({ operator, value }: Matcher): readonly string[] | undefined {
  if (value === "" || operator.startsWith("!")) return undefined;
  if (operator === "=") return [value];
  const texts = value.split("|");
  return texts.every((text) => /^[\w :/-]+$/.test(text)) ? texts : undefined;
}

function wholeMatch(expression: string): (text: string) => boolean {
  const pattern = compiled(expression);
  return (text) => pattern.matches(text);
}

function cached(isMatch: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    let result = known.get(text);
    if (result === undefined) {
      result = isMatch(text);
      if (known.size >= cacheMax) known.clear();
      known.set(text, result);
    }
    return result;
  };
}
