import Table from "cli-table3";
import type { GatewayClient } from "gpu-telemetry-client";

/** Whom a command asks, and how it answers. */
export interface Output {
  readonly gateway: GatewayClient;
  readonly url: string;
  readonly asJson: boolean;
}

type Row = Readonly<Record<string, unknown>>;

/** Shows rows as a table of some columns, or all of them as JSON. */
export function showRows(rows: readonly Row[], columns: readonly string[], { asJson }: Output): void {
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

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
