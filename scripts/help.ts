import { commandGroups } from "./help/command-groups.ts";
import { printText } from "../src/terminal/print.ts";

// bun run help, make help
// Lists the commands, a line each; with --help as well.

const width = 22;

const groups = commandGroups.flatMap(({ title, commands }) => [
  `\n${title}`,
  ...Object.entries(commands).map(([name, text]) => `  ${name.padEnd(width)}${text}`),
]);
const usage = [
  "\nEach is make NAME or bun run NAME; bun run NAME --help says more.",
  "Variables stand before or after make:",
  "INSTANCES=2 make scale-local, make scale-local INSTANCES=2",
];
// at once: `head` closes the pipe when it has its lines
printText([...groups, ...usage].join("\n"));
