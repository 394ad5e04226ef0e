import { type TSchema } from "@sinclair/typebox";
import { Value, type ValueError } from "@sinclair/typebox/value";
// 4 KB, and used for the names of settings already
import { distance } from "fastest-levenshtein";
import { parse } from "yaml";
import { messageOf } from "../../kit/message-of.ts";
import { type Rule, type RuleKind, ruleKinds } from "./rule.ts";

/** The fields that say what a rule is; a file of the operator may change all others. */
const fixedFields: ReadonlySet<string> = new Set([
  "id",
  "kind",
  "metric",
  "share_of",
  "held",
  "of",
  "direction",
  "per_second",
]);
const fixedOfKind: Readonly<Partial<Record<RuleKind, readonly string[]>>> = {
  xid: ["class"],
  bits: ["mask"],
  uncured: ["classes"],
};

/** Reads a list of rules, as YAML.
 *  @param path for messages
 *  @throws Error that names the file, the rules, their fields and values, and what would be right; no rule is used then */
export function readRules(text: string, path: string): readonly Rule[] {
  const list = parsed(text, path);
  if (!Array.isArray(list) || list.length === 0) throw new Error(`${path}: expected a list of rules`);
  const errors = list.flatMap((entry: unknown, index) => {
    const { id, kind } = fieldsOf(entry);
    const name = typeof id === "string" ? id : `number ${index + 1}`;
    const schema = ruleKinds[kind as RuleKind] as TSchema | undefined;
    if (schema === undefined)
      return [`${path}: rule ${name}: field kind: ${shown(kind)}; ${nearest(kind, Object.keys(ruleKinds))}`];
    const found = errorsOf(schema, entry).map((error) => `${path}: rule ${name}: ${error}`);
    const isRepeated = list.slice(0, index).some((other: unknown) => fieldsOf(other).id === id);
    return isRepeated ? [...found, `${path}: rule ${name}: the id is used twice`] : found;
  });
  if (errors.length === 0) errors.push(...(list as Rule[]).flatMap((rule) => contradictions(rule, path)));
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return list as Rule[];
}

/** Applies a file of the operator: a map from ids of rules to the fields that are to change, such as
 *  `gpu.temperature.high: { above: 90, for_seconds: 600 }` or `memory.full: { enabled: false }`.
 *  @throws Error as of `readRules` */
export function withOverrides(rules: readonly Rule[], text: string, path: string): readonly Rule[] {
  const overrides = parsed(text, path) ?? {};
  if (typeof overrides !== "object" || Array.isArray(overrides)) {
    throw new Error(`${path}: expected ids of rules, each with the fields to change`);
  }
  const ids = rules.map(({ id }) => id);
  const errors = Object.entries(overrides).flatMap(([id, fields]) => {
    const rule = rules.find((each) => each.id === id);
    if (rule === undefined) return [`${path}: rule ${id}: no rule has this id; ${nearest(id, ids)}`];
    return overrideErrors(rule, fields).map((error) => `${path}: rule ${id}: ${error}`);
  });
  const merged = rules.map((rule): Rule => ({ ...rule, ...fieldsOf((overrides as Record<string, unknown>)[rule.id]) }));
  if (errors.length === 0) errors.push(...merged.flatMap((rule) => contradictions(rule, path)));
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return merged;
}

function overrideErrors(rule: Rule, fields: unknown): string[] {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return [`${shown(fields)} is no map of fields; expected for example { enabled: false }`];
  }
  const fixed = Object.keys(fields).filter((name) => fixedFields.has(name) || fixedOfKind[rule.kind]?.includes(name));
  const errors = fixed.map((name) => `field ${name}: it says what the rule is, and cannot be changed`);
  return [...errors, ...errorsOf(ruleKinds[rule.kind], { ...rule, ...fields })];
}

function errorsOf(schema: TSchema, value: unknown): string[] {
  const names = Object.keys((schema as { properties?: object }).properties ?? {});
  const seen = new Set<string>();
  return [...Value.Errors(schema, value)].flatMap((error) => {
    if (seen.has(error.path)) return [];
    seen.add(error.path);
    return [errorText(error, names)];
  });
}

function errorText({ path, value, schema, message }: ValueError, names: readonly string[]): string {
  const field = path.slice(1).replaceAll("/", ".");
  if (message === "Unexpected property")
    return `field ${field}: ${shown(value)}; there is no such field, ${nearest(field, names)}`;
  if (message === "Expected required property") return `field ${field}: it is missing`;
  return `field ${field}: ${shown(value)}; ${expectation(schema, message)}`;
}

function expectation(schema: TSchema, message: string): string {
  const literals = (schema.anyOf as { readonly const: string }[] | undefined)?.map((each) => each.const);
  if (literals !== undefined) return `expected one of ${literals.join(", ")}`;
  const { minimum, maximum, type } = schema as { minimum?: number; maximum?: number; type?: string };
  if (type !== "integer" && type !== "number") return message.replace(/^E/, "e");
  const what = type === "integer" ? "a whole number" : "a number";
  if (minimum === undefined) return `expected ${what}`;
  return maximum === undefined
    ? `expected ${what}, at least ${minimum}`
    : `expected ${what} from ${minimum} to ${maximum}`;
}

/** What the types of the fields do not say. */
function contradictions(rule: Rule, path: string): string[] {
  const fail = (text: string): string[] => [`${path}: rule ${rule.id}: ${text}`];
  if (rule.kind === "threshold" || rule.kind === "rate") {
    const { above, below, resolve } = rule;
    if ((above === undefined) === (below === undefined))
      return fail("expected exactly one of the fields above and below");
    if (above !== undefined && (resolve ?? above) > above)
      return fail(`field resolve: ${resolve}; expected at most above (${above})`);
    if (below !== undefined && (resolve ?? below) < below)
      return fail(`field resolve: ${resolve}; expected at least below (${below})`);
  }
  if (rule.kind === "coverage" && rule.resolve < rule.below) {
    return fail(`field resolve: ${rule.resolve}; expected at least below (${rule.below})`);
  }
  if (rule.kind === "bits" && rule.resolve_share > rule.share) {
    return fail(`field resolve_share: ${rule.resolve_share}; expected at most share (${rule.share})`);
  }
  if (rule.kind === "xid-again" && (rule.codes === undefined) === (rule.classes === undefined)) {
    return fail("expected exactly one of the fields codes and classes");
  }
  return [];
}

function parsed(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    // the lines after the first one show the place in the text
    const [first = ""] = messageOf(error).split("\n");
    throw new Error(`${path} is not YAML: ${first.replace(/:$/, "")}`, { cause: error });
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

const shown = (value: unknown): string => JSON.stringify(value) ?? "nothing";

/** The most similar names: an edit of a third of a name is no misspelling. */
function nearest(given: unknown, names: readonly string[]): string {
  const text = typeof given === "string" ? given : "";
  const near = names.filter((name) => distance(name, text) <= Math.max(2, name.length / 3));
  near.sort((a, b) => distance(a, text) - distance(b, text));
  return `expected ${near[0] ?? `one of ${names.join(", ")}`}`;
}
