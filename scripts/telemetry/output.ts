import Table from "cli-table3";
import type { GatewayClient } from "gpu-telemetry-client";

/** Whom a command asks, and how it answers. */
export interface Output {
  readonly gateway: GatewayClient;
  readonly url: string;
  readonly asJson: boolean;
}

interface Shown extends Pick<Output, "asJson"> {
  readonly next?: string | undefined;
}

type Row = Readonly<Record<string, unknown>>;

/** Shows rows as a table of some columns, or all of them as JSON.
 *  @param next where the list goes on; absent at its end */
export function showRows(rows: readonly Row[], columns: readonly string[], { asJson, next }: Shown): void {
  if (next !== undefined) process.stderr.write(`there are more than these ${rows.length}: --limit takes up to 10000\n`);
  if (asJson) return print(JSON.stringify(rows, null, 2));
  const style = { head: [], border: [], compact: true };
  const table = new Table({ head: columns.map((name) => name.replaceAll("_", " ")), style });
  for (const row of rows) table.push(columns.map((name) => cellOf(row[name])));
  print(table.toString());
  print(`${rows.length} ${rows.length === 1 ? "row" : "rows"}`);
}

/** A line on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A value as a terminal may show it: names come from the telemetry, and could hold what moves a terminal's cursor. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
