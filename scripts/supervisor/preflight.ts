import { accessSync, constants } from "node:fs";
import { connect } from "node:net";
import { parseConfig } from "../../src/config/parse-config.ts";
import { environmentOf, type Settings } from "./child-settings.ts";

const connectTimeoutMs = 2000;

/** Checks what every process needs, so that a wrong setting gives one sentence and no crash loops.
 *  @throws InvalidConfig; Error with a sentence for people */
export async function preflight(settings: Settings): Promise<void> {
  const env = environmentOf({ role: "collector", number: 1, socket: "" }, settings);
  const config = parseConfig({ ...env, PORT: settings.PORT, ROLE: "streamer,collector,gateway" });
  const { etcdEndpoints = [], databaseUrl = "", csvFile } = config;
  if (csvFile !== undefined) checkReadable(csvFile);
  const members = etcdEndpoints.map((url) => new URL(url));
  if (!(await Promise.all(members.map(answers))).includes(true)) {
    throw new Error(
      `etcd does not answer at ${etcdEndpoints.join(",")}: start it with bun run setup-etcd, or set ETCD_ENDPOINTS`,
    );
  }
  // URLs with several hosts or a socket are left to the processes
  const database = URL.canParse(databaseUrl) ? new URL(databaseUrl) : undefined;
  if (database !== undefined && database.hostname !== "" && !(await answers(database))) {
    throw new Error(
      `the database does not answer at ${database.hostname}:${portOf(database)}: start it with bun run setup-etcd, or set DATABASE_URL`,
    );
  }
}

function checkReadable(csvFile: string): void {
  try {
    accessSync(csvFile, constants.R_OK);
  } catch (cause) {
    throw new Error(`CSV_FILE=${csvFile} cannot be read: ${(cause as Error).message}`, { cause });
  }
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
