import { scripts } from "../package.json";
import { printError } from "../src/terminal/print.ts";

// make TARGET: runs the script of that name, which must be one of package.json: `bun run` alone would also accept the name of any
// program on this machine.

const target = process.argv[2] ?? "";
if (!Object.hasOwn(scripts, target)) {
  printError(`make ${target} does not exist; make help lists the commands`);
  process.exit(1);
}
const child = Bun.spawn([process.execPath, "run", "--silent", target], { stdio: ["inherit", "inherit", "inherit"] });
// at Ctrl-C, the terminal sends the signal to the script too
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
process.exit(await child.exited);
