import { join, resolve } from "node:path";
import { localServers } from "./setup-etcd/local-server.ts";
import { printError } from "../src/terminal/print.ts";

// bun run run-nexus-streamer|run-nexus-collector|run-nexus-gateway
// Runs one process of the pipeline in this terminal, until Ctrl-C. It uses the servers of setup-etcd, unless ETCD_ENDPOINTS or
// DATABASE_URL name others. A gateway listens on PORT (8080), the others on any free port: PORT is the
// gateways', as for scale-local.

const roles = ["streamer", "collector", "gateway"];

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
