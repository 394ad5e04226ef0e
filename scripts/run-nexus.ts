import { join, resolve } from "node:path";
import { localServers } from "./setup-etcd/local-server.ts";

// bun run run-nexus-streamer|run-nexus-collector|run-nexus-gateway
// Runs one process of the pipeline in this terminal, until Ctrl-C. It uses the servers of setup-etcd, unless ETCD_ENDPOINTS or
// DATABASE_URL name others. A gateway listens on PORT (8080), the others on any free port: PORT is the
// gateways', as for scale-local.

const roles = ["streamer", "collector", "gateway"];

const role = process.argv[2] ?? "";
if (!roles.includes(role)) {
  process.stderr.write(`bun scripts/run-nexus.ts ${roles.join("|")}\n`);
  process.exit(1);
}
const byDefault = Object.fromEntries(
  localServers(process.env)
    .map(({ setting }) => setting)
    .map((setting) => [setting.slice(0, setting.indexOf("=")), setting.slice(setting.indexOf("=") + 1)]),
);
const child = Bun.spawn([process.execPath, join(resolve(import.meta.dir, ".."), "src/main.ts")], {
  env: { ...byDefault, ...process.env, ...(role === "gateway" ? {} : { PORT: "0" }), ROLE: role },
  stdio: ["inherit", "inherit", "inherit"],
});
// at Ctrl-C, the terminal sends the signal to the child too; a second one would stop it at once
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
process.exit(await child.exited);
