import { encodeCursor, type Place } from "./parameters/cursor.ts";

/** A part of a list. */
export interface ListPage<Element> {
  readonly elements: readonly Element[];
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
  /** The elements of the whole list. */
  readonly total: number;
}

interface Paging<At extends Place> {
  /** The maximum number of elements in the part; if absent, all. */
  readonly limit?: number | undefined;
  /** The part begins after this place; if absent, at the start of the list. */
  readonly cursor?: At | undefined;
  /** The order of the list; if absent, numbers by value and texts by their code units. */
  readonly compare?: (a: At, b: At) => number;
}

/** Cuts a part out of a list. A cursor is the place of the last element of the previous part, so a cursor stays valid
 *  when elements are added or removed.
 *  @param elements in the order of their places */
export function pageOf<Element, At extends Place>(
  elements: readonly Element[],
  placeOf: (element: Element) => At,
  { limit = Infinity, cursor, compare = comparePlaces }: Paging<At>,
): ListPage<Element> {
  const rest = cursor === undefined ? elements : elements.filter((element) => compare(placeOf(element), cursor) > 0);
  const part = rest.slice(0, limit);
  const last = part.at(-1);
  return {
    elements: part,
    total: elements.length,
    next: rest.length > part.length && last !== undefined ? encodeCursor(placeOf(last)) : undefined,
  };
}

/** Compares two places: numbers by value, texts by their code units. */
export function comparePlaces(a: Place, b: Place): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined || part > other) return 1;
    if (part < other) return -1;
  }
  return 0;
}
