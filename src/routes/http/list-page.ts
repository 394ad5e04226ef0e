import { type Static, Type } from "@sinclair/typebox";
import { invalidParameter } from "./api-error.ts";
import { wholeNumber } from "../schemas/envelope.ts";

const limitMax = 10_000;

/** The parameters that cut a list into parts; without them it comes as a whole. */
export const listPaging = {
  limit: Type.Optional(
    wholeNumber({
      minimum: 1,
      maximum: limitMax,
      description: `At most this many, 1 to ${limitMax}; next_cursor leads to those that follow. Default all`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2048,
      description: "next_cursor of the answer before: what follows it",
      examples: ["WyJtdHY1LWRneDEtaGdwdS0wMzIiLDQsIkdQVS03NWNhODM2ZiJd"],
    }),
  ),
};

type Paging = { readonly [Name in keyof typeof listPaging]?: Static<(typeof listPaging)[Name]> };
/** What a list is in the order of. */
type Key = readonly (string | number)[];

/** A part of a list. */
export interface ListPage<Element> {
  readonly elements: readonly Element[];
  /** Where the next part begins; undefined at the end. */
  readonly next: string | undefined;
}

/** Cuts a part out of a list. A cursor is the key of an element, so that what comes and goes meanwhile moves nothing.
 *  @param elements in the order of their keys
 *  @throws ApiError 400 for a cursor that is none */
export function pageOf<Element>(
  elements: readonly Element[],
  keyOf: (element: Element) => Key,
  { limit = Infinity, cursor }: Paging,
): ListPage<Element> {
  const after = cursor === undefined ? undefined : readCursor(cursor);
  const rest = after === undefined ? elements : elements.filter((element) => compareKeys(keyOf(element), after) > 0);
  const part = rest.slice(0, limit);
  const last = part.at(-1);
  return {
    elements: part,
    next: rest.length > part.length && last !== undefined ? cursorText(keyOf(last)) : undefined,
  };
}

/** Which of two keys comes first: numbers by value, texts by their code units. */
export function compareKeys(a: Key, b: Key): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined || part > other) return 1;
    if (part < other) return -1;
  }
  return 0;
}

function cursorText(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function readCursor(text: string): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (Array.isArray(key) && key.every((part) => typeof part === "string" || typeof part === "number")) return key;
  } catch {
    // no JSON: refused below like everything else that is no cursor
  }
  throw invalidParameter({ parameter: "cursor", value: text, expected: "next_cursor of the part before, as it is" });
}
