import { commandGroups } from "./help/command-groups.ts";

// bun run help, make help
// Lists the commands, a line each.

const width = 22;

for (const { title, commands } of commandGroups) {
  process.stdout.write(`\n${title}\n`);
  for (const [name, text] of Object.entries(commands)) process.stdout.write(`  ${name.padEnd(width)}${text}\n`);
}
process.stdout.write(
  "\nEach is make NAME or bun run NAME. Variables stand before or after make:\nINSTANCES=2 make scale-local, make scale-local INSTANCES=2\n",
);
