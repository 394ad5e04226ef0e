import { accessSync, constants } from "node:fs";
import { connect } from "node:net";
import { type Config, parseConfig } from "../../src/config/parse-config.ts";
import { environmentOf, type Settings } from "./child-settings.ts";
import { maxCount, portSettings } from "./managed-role.ts";

const connectTimeoutMs = 2000;

/** Checks the settings as a whole, so that a wrong one gives one sentence and no crash loops.
 *  @throws InvalidConfig; Error with a sentence for people */
export function checkSettings(settings: Settings): Config {
  for (const { variable } of Object.values(portSettings)) checkPort(variable, settings[variable]);
  const env = environmentOf({ role: "gateway", number: 1, socket: "data/run/supervisor.sock" }, settings);
  return parseConfig({ ...env, ROLE: "streamer,collector,gateway" });
}

/** Checks the file that streamers read, if there is one. Only streamers need it: the file of a finished import may be gone.
 *  @throws Error with a sentence for people */
export function checkSource({ csvFile }: Config): void {
  if (csvFile === undefined) return;
  try {
    accessSync(csvFile, constants.R_OK);
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new Error(`CSV_FILE=${csvFile} ${isMissing ? "does not exist" : "cannot be read"}`, { cause });
  }
}

/** Checks that etcd and the database accept connections.
 *  @throws Error with a sentence for people */
export async function checkServers(config: Config): Promise<void> {
  const { databaseUrl = "" } = config;
  const problem = await etcdProblem(config);
  if (problem !== undefined) throw new Error(problem);
  // URLs with several hosts or a socket are left to the processes
  const database = URL.canParse(databaseUrl) ? new URL(databaseUrl) : undefined;
  if (database !== undefined && database.hostname !== "" && !(await answers(database))) {
    throw new Error(
      `the database does not answer at ${database.hostname}:${portOf(database)}: start it with bun run setup-etcd, or set DATABASE_URL`,
    );
  }
}

/** Says for people that no member of etcd accepts a connection; undefined if one does. */
export async function etcdProblem({ etcdEndpoints = [] }: Config): Promise<string | undefined> {
  const members = etcdEndpoints.map((url) => new URL(url));
  if ((await Promise.all(members.map(answers))).includes(true)) return undefined;
  return `etcd does not answer at ${etcdEndpoints.join(",")}: start it with bun run setup-etcd, or set ETCD_ENDPOINTS`;
}

function checkPort(variable: string, text: string | undefined): void {
  const lastPort = 65_535 - maxCount;
  if (text === undefined || (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= lastPort)) return;
  throw new Error(`${variable}=${text} is not usable: expected the first port of up to ${maxCount}, 1 to ${lastPort}`);
}

function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return { "http:": 80, "https:": 443 }[protocol] ?? 5432;
}

/** True if a TCP connection is accepted. */
function answers(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: portOf(url),
      timeout: connectTimeoutMs,
    });
    const settle = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(false));
    socket.once("error", () => settle(false));
  });
}
