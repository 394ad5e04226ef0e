import { keepFilesPrivate } from "../src/kit/private-files.ts";
import { nameProcess } from "../src/kit/process-name.ts";
import { scaleCommand, scaleCommands } from "./scale/commands.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { printError } from "../src/terminal/print.ts";

const usage = `Runs the pipeline's processes in the background of this machine. scripts/supervisor.ts is the process that keeps them running.
${scaleCommands.map((command) => `  bun run scale-${command}\n`).join("")}The numbers of processes are variables: INSTANCES for all roles, or STREAMER_INSTANCES, COLLECTOR_INSTANCES, API_GW_INSTANCES,
BALANCER_INSTANCES, COORDINATOR_INSTANCES. 'bun run help' says what each command does.`;

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  keepFilesPrivate();
  nameProcess("scale");
  const command = scaleCommand(process.argv[2] ?? "");
  if (command === undefined) {
    printError(usage);
    process.exit(1);
  }
  process.exit(await command());
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
