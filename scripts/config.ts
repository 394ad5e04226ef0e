import { shownSettings, parseConfig } from "../src/config/parse-config.ts";
import { InvalidConfig } from "../src/domain/errors.ts";
import { print, printError } from "../src/terminal/print.ts";

// Prints the configuration that results from this environment, one setting per line. Exits with 1 if a setting is not usable.
try {
  const rows = shownSettings(parseConfig(process.env));
  const width = (cells: readonly string[]): number => Math.max(...cells.map((cell) => cell.length));
  const names = width(rows.map((row) => row.env));
  const values = width(rows.map((row) => row.value));
  for (const row of rows) {
    const mark = row.value === row.default ? " " : "*";
    print(`${mark} ${row.env.padEnd(names)}  ${row.value.padEnd(values)}  ${row.description} (${row.type})`);
  }
  print("\n* differs from the default");
} catch (error) {
  if (!(error instanceof InvalidConfig)) throw error;
  printError(error.message);
  process.exitCode = 1;
}
