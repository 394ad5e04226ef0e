import { visible, visibleLines } from "../domain/visible-text.ts";

/** An entry of a log, one line of JSON, whose texts people see as they are when a printer for people has decoded them. Only stack
 *  traces keep their line breaks. */
export function visibleEntry(line: string): string {
  const shown = (key: string, value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return key === "stack" ? visibleLines(value) : visible(value);
  };
  try {
    return `${JSON.stringify(JSON.parse(line), shown)}\n`;
  } catch {
    return visibleLines(line);
  }
}
