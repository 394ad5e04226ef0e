import { ineffectiveSettings } from "../src/config/ineffective-settings.ts";
import { misspelledSettings } from "../src/config/misspelled-settings.ts";
import { shownSettings, parseConfig } from "../src/config/parse-config.ts";
import { InvalidConfig, UnusableSource } from "../src/domain/errors.ts";
import { RulesInForce } from "../src/faults/rules/rules-in-force.ts";
import { readChosenFaults } from "../src/pipeline/source/simulated/faults/chosen-faults.ts";
import { StaticDiscovery } from "../src/pipeline/source/exporter/discovery/static-discovery.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Prints the configuration that results from this environment, a setting a line: its value, its meaning and its unit.
  bun run config
Names misspelled settings, and those without effect, on standard error. Exits with 1 if a setting is not usable.`;

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  for (const warning of misspelledSettings(process.env)) printError(warning);
  const config = parseConfig(process.env);
  for (const warning of ineffectiveSettings(config)) printError(warning);
  // the addresses are checked as at the start of a streamer
  new StaticDiscovery(config.dcgmTargets ?? [], config.clusterId);
  readChosenFaults(config.simFaults);
  const rules = await RulesInForce.open(config.faultRulesFile, { info: print, warn: printError });
  const rows = shownSettings(config);
  const width = (cells: readonly string[]): number => Math.max(...cells.map((cell) => cell.length));
  const names = width(rows.map((row) => row.env));
  const values = width(rows.map((row) => row.value));
  for (const row of rows) {
    const mark = row.value === row.default ? " " : "*";
    print(`${mark} ${row.env.padEnd(names)}  ${row.value.padEnd(values)}  ${row.description} (${row.type})`);
  }
  print("\n* differs from the default");
  const changes = rules.changes();
  if (changes.length > 0)
    print(`\nFAULT_RULES_FILE changes these rules (defaults in parentheses):\n  ${changes.join("\n  ")}`);
} catch (error) {
  if (!(error instanceof InvalidConfig || error instanceof UnusableSource)) throw error;
  printError(error.message);
  process.exitCode = 1;
}
