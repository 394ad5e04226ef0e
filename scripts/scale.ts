import { keepFilesPrivate } from "../src/kit/private-files.ts";
import { nameProcess } from "../src/kit/process-name.ts";
import { scaleCommand, scaleCommands } from "./scale/commands.ts";
import { printError } from "../src/terminal/print.ts";

// bun run scale-local|scale-streamers|scale-collectors|scale-gateways|scale-status|scale-logs|scale-restart|scale-stop
// Runs the pipeline's processes in the background of this machine. scripts/supervisor.ts is the process that keeps them running.

const usage = `bun scripts/scale.ts ${scaleCommands.join("|")}`;

try {
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
