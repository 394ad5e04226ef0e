import { styleText } from "node:util";
import { parseConfig } from "../src/config/parse-config.ts";
import { scalingPolicy } from "../src/scaling/coordinator/scaling-policy.ts";
import { parseArguments, usage } from "./simulate-scaling/arguments.ts";
import type { Style } from "./simulate-scaling/plot.ts";
import { plotText, type Run, tableText } from "./simulate-scaling/report.ts";
import { runCurve } from "./simulate-scaling/run-curve.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const plain: Style = { line: (text) => text, alarm: (text) => text };
const coloured: Style = { line: (text) => styleText("cyan", text), alarm: (text) => styleText("red", text) };

function simulate(): void {
  const given = process.argv.slice(2);
  if (answersHelp(given, usage)) return;
  const { isTTY, columns } = process.stdout;
  const args = parseArguments(given, isTTY ? columns : undefined);
  const style = isTTY && process.env.NO_COLOR === undefined ? coloured : plain;
  const policy = scalingPolicy(parseConfig(process.env));
  const runs: Run[] = [];
  for (const curve of args.curves) {
    const outcome = runCurve(curve, policy, args.seed);
    const run = { curve, outcome, broken: curve.check(outcome) };
    runs.push(run);
    // with colours of its own
    process.stdout.write(`${plotText(run, policy, { width: args.width, style })}\n\n`);
  }
  print(tableText(runs));
  if (runs.some(({ broken }) => broken.length > 0)) process.exitCode = 1;
}

try {
  simulate();
} catch (error) {
  printError((error as Error).message);
  if (error instanceof TypeError) printError("bun run simulate-scaling --help lists the arguments");
  process.exitCode = 1;
}
