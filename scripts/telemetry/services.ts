import { answerOf } from "gpu-telemetry-client";
import { fixedTable, type FixedColumn } from "./fixed-table.ts";
import { terminalWidth } from "./narrow-table.ts";
import { cellOf, type Output } from "./output.ts";
import { print } from "../../src/terminal/print.ts";

/** The columns of the table: with their borders, they are 80 characters wide, or as wide as a narrower terminal. */
const columns: readonly FixedColumn[] = [
  { title: "instance", width: 16, align: "left" },
  { title: "roles", width: 11, align: "left" },
  { title: "state", width: 8, align: "left" },
  { title: "address", width: 19, align: "left" },
  { title: "samples/s", width: 9, align: "right" },
  { title: "CPU%", width: 4, align: "right" },
  { title: "MiB", width: 5, align: "right" },
];

/** Prints the running processes. A text that is wider than its column goes on in the next line. */
export async function services(output: Output, { role }: { readonly role?: string }): Promise<void> {
  const query = role === undefined ? {} : { role: role as "collector" };
  const { data, as_of: asOf } = await answerOf(output.gateway.GET("/api/v1/services", { params: { query } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const table = fixedTable(columns, terminalWidth());
  for (const { name, roles, state, url, load } of data) {
    const { samples_per_second: samples, cpu_percent: cpu, rss_bytes: bytes } = load;
    const figures = [samples, cpu, bytes === undefined ? undefined : bytes / 1024 / 1024];
    table.push([
      ...[name, roles.join("\n"), state, url.replace("http://", "")].map(cellOfLines),
      ...figures.map(rounded),
    ]);
  }
  print(table.toString());
  print(`${data.length} ${data.length === 1 ? "process" : "processes"} as of ${asOf}`);
  for (const { name, errors } of data) for (const error of errors) print(cellOf(`${name}: ${error}`));
}

function cellOfLines(text: string): string {
  return text.split("\n").map(cellOf).join("\n");
}

function rounded(figure: number | undefined): string {
  return figure === undefined ? "" : Math.round(figure).toLocaleString("en-US");
}
