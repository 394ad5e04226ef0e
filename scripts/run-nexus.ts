import { join, resolve } from "node:path";
import { localServers } from "./setup-etcd/local-server.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { printError } from "../src/terminal/print.ts";

const usage = `Runs one process of the pipeline in this terminal, until Ctrl-C.
  bun run run-nexus-streamer     reads CSV_FILE, or scrapes DCGM_TARGETS
  bun run run-nexus-collector
  bun run run-nexus-gateway      listens on PORT (8080); the others listen on any free port
They use the servers of setup-etcd, unless ETCD_ENDPOINTS or DATABASE_URL name others. 'bun run config' prints all settings.`;

const roles = ["streamer", "collector", "gateway"];

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const role = process.argv[2] ?? "";
if (!roles.includes(role)) {
  printError(`bun scripts/run-nexus.ts ${roles.join("|")}`);
  process.exit(1);
}

/** The servers of setup-etcd, as settings; a file that names the database takes the place of its URL. */
function defaultServers({ ETCD_PORT, POSTGRES_PORT, DATABASE_URL_FILE }: NodeJS.ProcessEnv): Record<string, string> {
  try {
    const settings = localServers({ ETCD_PORT, POSTGRES_PORT }).map(({ setting }) => setting.split(/=(.*)/, 2));
    const { DATABASE_URL = "", ...others } = Object.fromEntries(settings) as Record<string, string>;
    return DATABASE_URL_FILE ? others : { ...others, DATABASE_URL };
  } catch (error) {
    printError((error as Error).message);
    process.exit(1);
  }
}

const child = Bun.spawn([process.execPath, join(resolve(import.meta.dir, ".."), "src/main.ts")], {
  env: { ...defaultServers(process.env), ...process.env, ...(role === "gateway" ? {} : { PORT: "0" }), ROLE: role },
  stdio: ["inherit", "inherit", "inherit"],
});
// at Ctrl-C, the terminal sends the signal to the child too; a second one would stop it at once
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
process.exit(await child.exited);
