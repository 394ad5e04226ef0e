import { continuation } from "./text.ts";
import { WrongArgument } from "./tool.ts";

/** Which part of a list an answer has: the cursor counts the elements before it. */
interface Asked {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** A part of a list that is made again for each answer, and lines that say which part it is and how to go on.
 *  @throws WrongArgument if no answer gives such a cursor */
export function partOf<Element>(
  list: readonly Element[],
  { limit, cursor = "0" }: Asked,
): { readonly part: readonly Element[]; readonly more: readonly string[] } {
  if (!/^\d{1,9}$/.test(cursor))
    throw new WrongArgument("The cursor is not one that an answer to these arguments gave");
  const begin = Number(cursor);
  const part = list.slice(begin, begin + limit);
  const end = begin + part.length;
  if (part.length === list.length) return { part, more: [] };
  const place =
    part.length === 0 ? `There are ${list.length}, and none follows` : `${begin + 1} to ${end} of ${list.length}`;
  return { part, more: [place, ...continuation(end < list.length ? String(end) : undefined)] };
}
