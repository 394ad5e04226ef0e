import type { TObject } from "@sinclair/typebox";
import { defined } from "../../../kit/defined.ts";
import { list } from "../../schemas/envelope.ts";
import { filledColumns, type Row } from "./columns.ts";
import { formatOf } from "./negotiate.ts";
import type { Paging } from "./paging-headers.ts";
import { rowAnswer } from "./row-answer.ts";

/** The elements of a list, and what its envelope has besides them. */
interface Listed<Element extends object> {
  readonly elements: readonly Element[];
  /** Whose fields are the columns of a CSV. */
  readonly schema: TObject;
  /** Members of the envelope; of rows, they are headers. Without a total, a list that is not continued is whole. */
  readonly more?: Paging & Readonly<Record<string, unknown>>;
}

/** A list in the format that the client accepts: JSON in the API's envelope, or rows. */
export function listInFormat<Element extends object>(
  request: Request,
  { elements, schema, more = {} }: Listed<Element>,
): object | Promise<Response> {
  const format = formatOf(request);
  const total = "total" in more ? more.total : totalOf(request, elements, more);
  // a list that is always whole has its count
  if (format === "json") return { ...list(elements), ...defined("next_cursor" in more ? { ...more, total } : more) };
  const rows = elements as readonly Row[];
  const columns = filledColumns(schema, rows);
  return rowAnswer({ request, format, columns, schema, parts: inOnePart(rows), paging: { ...more, total } });
}

/** @returns undefined if the elements are a part of the list */
function totalOf({ url }: Request, elements: readonly object[], { next_cursor: next }: Paging): number | undefined {
  return next === undefined && !new URL(url).searchParams.has("cursor") ? elements.length : undefined;
}

/** Rows that are in memory already. */
export async function* inOnePart(rows: readonly Row[]): AsyncGenerator<readonly Row[], void> {
  yield await Promise.resolve(rows);
}
