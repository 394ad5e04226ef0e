import { styleText } from "node:util";
import { parseConfig } from "../src/config/parse-config.ts";
import { scalingPolicy } from "../src/scaling/coordinator/scaling-policy.ts";
import { parseArguments, usage } from "./simulate-scaling/arguments.ts";
import type { Style } from "./simulate-scaling/plot.ts";
import { plotText, type Run, tableText } from "./simulate-scaling/report.ts";
import { runCurve } from "./simulate-scaling/run-curve.ts";

const plain: Style = { line: (text) => text, alarm: (text) => text };
const coloured: Style = { line: (text) => styleText("cyan", text), alarm: (text) => styleText("red", text) };

function simulate(): void {
  const { isTTY, columns } = process.stdout;
  const args = parseArguments(process.argv.slice(2), isTTY ? columns : undefined);
  if (args === undefined) {
    process.stdout.write(usage);
    return;
  }
  const style = isTTY && process.env.NO_COLOR === undefined ? coloured : plain;
  const policy = scalingPolicy(parseConfig(process.env));
  const runs: Run[] = [];
  for (const curve of args.curves) {
    const outcome = runCurve(curve, policy, args.seed);
    const run = { curve, outcome, broken: curve.check(outcome) };
    runs.push(run);
    process.stdout.write(`${plotText(run, policy, { width: args.width, style })}\n\n`);
  }
  process.stdout.write(`${tableText(runs)}\n`);
  if (runs.some(({ broken }) => broken.length > 0)) process.exitCode = 1;
}

try {
  simulate();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  if (error instanceof TypeError) process.stderr.write("bun run simulate-scaling --help lists the arguments\n");
  process.exitCode = 1;
}
