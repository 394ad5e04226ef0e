import { notUsable, type Parameter, text } from "./parameter.ts";

/** An element's place in a list: the values that the list is ordered by. */
export type Place = readonly (string | number)[];

/** Makes the cursor of a place, for `next_cursor`, in base64url. Whole numbers are joined with colons, as in
 *  `1752871354000:42`; a place with a text is written as JSON. The format must not change, because gateways of other
 *  versions read the cursor. */
export function encodeCursor(place: Place): string {
  const hasOnlyNumbers = place.every((part) => typeof part === "number");
  return Buffer.from(hasOnlyNumbers ? place.join(":") : JSON.stringify(place)).toString("base64url");
}

/** @returns undefined if the text is not a cursor */
function decodeCursor(cursor: string): Place | undefined {
  const content = Buffer.from(cursor, "base64url").toString();
  const place = /^-?\d+(?::-?\d+)*$/.test(content) ? content.split(":").map(Number) : parsed(content);
  return Array.isArray(place) && place.length > 0 && place.every(isPart) ? place : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** False for what no element has, and no store can compare: a text with NUL or half a character, or a number that is not exact. */
function isPart(part: unknown): part is string | number {
  if (typeof part === "string") return part.isWellFormed() && !part.includes("\0");
  return Number.isSafeInteger(part);
}

/** True if the parts of a place are of these types. */
export function hasTypes(place: Place, ...types: readonly ("string" | "number")[]): boolean {
  return place.length === types.length && place.every((part, index) => typeof part === types[index]);
}

interface CursorOptions<Position extends object> {
  readonly maxLength: number;
  /** The elements that a request with the cursor returns, as a phrase for the description. */
  readonly following: string;
  readonly example: Place;
  /** @returns undefined if no element can have this place */
  readonly positionOf: (place: Place) => Position | undefined;
}

/** The parameter for the `next_cursor` of the previous answer. */
export function cursorParameter<Position extends object>(
  options: CursorOptions<Position>,
): Parameter<Position | undefined> {
  const { maxLength, following, example, positionOf } = options;
  const { description, schema, kind } = text({
    maxLength,
    description: ({ name }) => `${name("next_cursor")} of the previous answer; returns ${following}`,
    example: encodeCursor(example),
  });
  return {
    kind,
    schema,
    description,
    expected: ({ name }) =>
      `${name("next_cursor")} of the previous answer, unchanged; after an upgrade, start without it`,
    read: (given) => {
      const place = given.length <= maxLength ? decodeCursor(given) : undefined;
      const value = place && positionOf(place);
      return value === undefined ? notUsable : { value };
    },
    absent: { value: undefined },
  };
}
