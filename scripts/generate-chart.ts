import { join } from "node:path";
import { generatedChartFiles } from "./chart/chart-files.ts";
import { chartFolder } from "./chart/chart-folder.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Writes values.schema.json and the table of values in README.md of the Helm chart, from the program's settings and the comments of
values.yaml. test/chart/values.test.ts fails if they are not up to date.
  bun run generate:chart`;

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  for (const [name, text] of await generatedChartFiles()) await Bun.write(join(chartFolder, name), text);
  print(`${chartFolder}: values.schema.json and README.md`);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
