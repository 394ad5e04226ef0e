import { parseTimestamp } from "../../../domain/timestamp.ts";
import { normalName } from "./column-names.ts";
import type { Layout } from "./layout.ts";

/** The names of a time's column, in the normal form. */
const timeNames: ReadonlySet<string> = new Set(["timestamp", "time"]);
/** Names of which every header has some, in the normal form. */
const identityNames: ReadonlySet<string> = new Set(["uuid", "gpuuuid", "gpuid", "index", "gpu", "hostname"]);
/** What a header that is not at the beginning of its file may begin with: its own file's byte order mark, or the sign of a comment. */
const mark = /^(?:\uFEFF|#)+/;

/** True for a row with the names of the file's header, in the same order. */
export function isSameHeader(row: readonly string[], { header }: Pick<Layout, "header">): boolean {
  return (
    row.length === header.length && namesOf(row).every((name, column) => name === normalName(header[column] ?? ""))
  );
}

/** True for a row that is the header of another table. No row with a time in the column of times is one. */
export function isOtherHeader(row: readonly string[], layout: Pick<Layout, "header" | "timestamp">): boolean {
  const names = namesOf(row);
  if (!names.some((name) => timeNames.has(name))) return false;
  const own = new Set(layout.header.map(normalName));
  const hasOtherName = names.some((name) => !timeNames.has(name) && (identityNames.has(name) || own.has(name)));
  const hasTime = "ms" in parseTimestamp(row[layout.timestamp] ?? "");
  return hasOtherName && !hasTime && !isSameHeader(row, layout);
}

function namesOf(row: readonly string[]): string[] {
  return row.map((text, column) => normalName(column === 0 ? text.replace(mark, "") : text));
}
