import type { DecimalSign } from "./csv-form.ts";
import type { Layout } from "./layout.ts";

/** A number that is none with separators of thousands, because they stand before three digits. */
const withComma = /^\s*[+-]?\d+,(?:\d{1,2}|\d{4,})\s*$/;
const withPoint = /^\s*[+-]?\d+\.(?:\d{1,2}|\d{4,})\s*$/;
/** The bytes that are looked at: all ranges of a file are read in the same way, also while it grows. */
export const decimalSignBytes = 65_536;

/** The sign of the first rows. @param rows the cells of each row, as they are written */
export function decimalSignOf(rows: readonly (readonly string[])[], layout: Layout): DecimalSign {
  const numbers = valueColumnsOf(layout);
  const cells = rows.flatMap((row) => row.filter((_, column) => numbers.has(column)));
  const hasCommas = cells.some((cell) => withComma.test(cell));
  const hasPoints = cells.some((cell) => withPoint.test(cell));
  if (hasCommas && hasPoints) return "mixed";
  if (hasCommas) return "comma";
  return hasPoints ? "point" : "either";
}

/** The columns of values. */
export function valueColumnsOf(layout: Layout): ReadonlySet<number> {
  if (layout.form === "long") return new Set([layout.value]);
  return new Set([...layout.metricColumns, ...layout.customColumns].map(({ column }) => column));
}
