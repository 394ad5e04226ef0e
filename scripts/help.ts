import { commandGroups } from "./help/command-groups.ts";
import { print } from "../src/terminal/print.ts";

// bun run help, make help
// Lists the commands, a line each; with --help as well.

const width = 22;

for (const { title, commands } of commandGroups) {
  print(`\n${title}`);
  for (const [name, text] of Object.entries(commands)) print(`  ${name.padEnd(width)}${text}`);
}
print(
  "\nEach is make NAME or bun run NAME; bun run NAME --help says more.\nVariables stand before or after make:\nINSTANCES=2 make scale-local, make scale-local INSTANCES=2",
);
