import { splitNames } from "../../../domain/series-selector.ts";
import type { Instant } from "../../../domain/timestamp.ts";
import { readTime, timeForms, timePattern } from "./relative-time.ts";
import type { Text } from "./spelling.ts";
import { unknownName } from "./unknown-name.ts";

/** The kind of a parameter's values. The kind determines the type of the argument in GraphQL. */
export type Kind =
  | { readonly name: "text" }
  | { readonly name: "instant" }
  | { readonly name: "integer" }
  | { readonly name: "flag" }
  | { readonly name: "choice"; readonly values: readonly string[] }
  /** Several values of a choice, written with commas between them. */
  | { readonly name: "list"; readonly values: readonly string[] }
  /** Several texts, written with commas between them. */
  | { readonly name: "texts" };

/** The value of a text, or the problem of a text that is not usable. `problem` is absent if the parameter's `expected` says
 *  enough. */
export type Read<Value> = { readonly value: Value } | { readonly problem?: Text };

/** The result for a text that is not usable, if the parameter's `expected` says enough. */
export const notUsable: { readonly problem?: Text } = {};

/** The result for a list without elements, in REST an empty text. It is refused, because a client can mean all by it, or nothing. */
export const emptyList = { problem: "it is an empty list" };

/** One parameter of a request: its documentation, its kind, and the function that reads its text. */
export interface Parameter<Value> {
  readonly kind: Kind;
  /** JSON Schema of the parameter's value. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly description: Text;
  /** The usable values, as a phrase that follows "expected". */
  readonly expected: Text;
  readonly read: (text: string) => Read<Value>;
  /** The value of an absent parameter; undefined if the parameter is required. */
  readonly absent: { readonly value: Value } | undefined;
}

/** The parameters of a request by their names. */
export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

/** The values of parameters by their names. An optional parameter that is absent has the value undefined. */
export type ValuesOf<Of extends Parameters> = {
  readonly [Name in keyof Of]: Of[Name] extends Parameter<infer Value> ? Value : never;
};

/** The parameters without the named ones. */
export function without<Of extends Parameters, Name extends keyof Of & string>(
  parameters: Of,
  ...names: readonly Name[]
): Omit<Of, Name> {
  const others = Object.entries(parameters).filter(([name]) => !names.some((each) => each === name));
  return Object.fromEntries(others) as Omit<Of, Name>;
}

/** The documentation of a parameter. */
interface About {
  readonly description: Text;
  readonly example?: string | number;
}

/** A parameter that may be absent; its value is then undefined. */
export function optional<Value>(parameter: Parameter<Value>): Parameter<Value | undefined> {
  return { ...parameter, absent: { value: undefined } };
}

/** A parameter that may be absent; its value is then `value`. */
export function withDefault<Value extends string | number | boolean>(
  parameter: Parameter<Value>,
  value: Value,
): Parameter<Value> {
  return { ...parameter, schema: { ...parameter.schema, default: value }, absent: { value } };
}

/** A text of 1 to `maxLength` characters without NUL. */
export function text({ maxLength, ...about }: About & { readonly maxLength: number }): Parameter<string> {
  return {
    ...required({ type: "string", minLength: 1, maxLength }, about),
    kind: { name: "text" },
    expected: `a text of 1 to ${maxLength} characters`,
    read: (given) => {
      // PostgreSQL cannot store NUL
      if (given.includes("\0")) return { problem: "it contains the character NUL" };
      return given.length >= 1 && given.length <= maxLength ? { value: given } : notUsable;
    },
  };
}

/** A whole number from `minimum` to `maximum`; `minimum` must not be negative. */
export function integer({
  minimum,
  maximum,
  ...about
}: About & { readonly minimum: number; readonly maximum: number }): Parameter<number> {
  return {
    ...required({ type: "number", multipleOf: 1, minimum, maximum }, about),
    kind: { name: "integer" },
    expected: `a whole number from ${minimum} to ${maximum}`,
    read: (given) => {
      const value = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
      return value >= minimum && value <= maximum ? { value } : notUsable;
    },
  };
}

/** `true` or `false`. */
export function flag(description: Text): Parameter<boolean> {
  return {
    ...required({ type: "boolean" }, { description }),
    kind: { name: "flag" },
    expected: "true or false",
    read: (given) => (given === "true" || given === "false" ? { value: given === "true" } : notUsable),
  };
}

/** An instant: a date-time of RFC 3339, or a time from now. */
export function instant(description: Text): Parameter<Instant> {
  const example = "2025-07-18T20:42:34Z";
  return {
    ...required({ type: "string", pattern: timePattern }, { description, example }),
    kind: { name: "instant" },
    expected: timeForms,
    read: (given) => {
      const read = readTime(given);
      return "problem" in read ? read : { value: read };
    },
  };
}

/** One of the given values. */
export function choice<const Value extends string>(
  values: readonly Value[],
  about: Partial<About> = {},
): Parameter<Value> {
  return {
    ...required(
      { type: "string", enum: values },
      { description: (spelling) => `One of ${values.map(spelling.value).join(", ")}`, ...about },
    ),
    kind: { name: "choice", values },
    expected: ({ value }) => `one of ${values.map(value).join(", ")}`,
    read: (given) => {
      const value = values.find((each) => each === given);
      return value === undefined ? notUsable : { value };
    },
  };
}

/** The longest text of a list parameter, in characters. */
const listMaxLength = 1000;

/** A list of 1 to `maxItems` of the given values; repeated values count once.
 *  @param noun the noun for one value
 *  @param known the texts that may have been meant by one that is no value; absent: the values
 *  @param advice what the error of such a text says besides, after a semicolon; absent: nothing
 *  @param source the path that lists the values
 *  @param meaningOf the value that a text in the list means */
export function listOf(
  values: readonly string[],
  {
    noun,
    known = values,
    advice = () => undefined,
    source,
    maxItems,
    meaningOf,
    ...about
  }: About & {
    readonly noun: string;
    readonly source: string;
    readonly maxItems: number;
    readonly meaningOf: (item: string) => string;
    readonly known?: readonly string[];
    readonly advice?: (item: string) => string | undefined;
  },
): Parameter<readonly string[]> {
  const allowed = new Set(values);
  return {
    ...required({ type: "string", minLength: 1, maxLength: listMaxLength }, about),
    kind: { name: "list", values },
    expected: ({ listSuffix }) => `1 to ${maxItems} names from ${source}${listSuffix}`,
    read: (given) => {
      if (given === "") return emptyList;
      if (given.length > listMaxLength) return notUsable;
      const items = [...new Set(splitNames(given).map(meaningOf))];
      const unknown = items.find((item) => !allowed.has(item));
      if (unknown !== undefined)
        return { problem: [unknownName(noun, unknown, known), advice(unknown)].filter(Boolean).join("; ") };
      return items.length <= maxItems ? { value: items } : { problem: `it has ${items.length} names` };
    },
  };
}

function required(schema: Readonly<Record<string, unknown>>, { description, example }: About) {
  return {
    schema: example === undefined ? schema : { ...schema, examples: [example] },
    description,
    absent: undefined,
  };
}
