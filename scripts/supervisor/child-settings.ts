import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { parseConfig, shownSettings } from "../../src/config/parse-config.ts";
import { type ManagedRole, portSettings } from "./managed-role.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings that a person typed in front of a command, by the names of their variables. */
export type Settings = Readonly<Record<string, string>>;

/** What the processes use where nothing else is set: the servers of setup-etcd. */
const defaults: Settings = {
  ETCD_ENDPOINTS: "http://localhost:2379",
  DATABASE_URL: "postgres://telemetry:telemetry@127.0.0.1:5432/telemetry",
};
/** Set by the supervisor for each process. */
const ownedNames: ReadonlySet<string> = new Set(["ROLE", "INSTANCE_NAME", "EXECUTOR", "SUPERVISOR_SOCKET"]);
const defaultShutdownSeconds = 30;
/** Gateways still answer this long after they were told to stop, so that balancers notice; the other roles answer no clients. */
const drainSeconds = 3;

/** True for settings whose value is a path, relative to the folder in which the command was typed. */
function isPath(name: string): boolean {
  return name === "DATA_DIR" || name.endsWith("_FILE");
}

function settingNames(): readonly string[] {
  const names = shownSettings(parseConfig({})).map(({ env }) => env);
  const ports = Object.values(portSettings).map(({ variable }) => variable);
  return [...new Set([...names, ...names.map((name) => `${name}_FILE`), ...ports])].filter(
    (name) => !ownedNames.has(name),
  );
}

/** The servers of setup-etcd on the ports that its variables name. */
function serversOn({ ETCD_PORT, POSTGRES_PORT, DATABASE_URL_FILE }: Environment): Settings {
  return {
    ...(ETCD_PORT ? { ETCD_ENDPOINTS: `http://localhost:${ETCD_PORT}` } : {}),
    ...(POSTGRES_PORT && !DATABASE_URL_FILE
      ? { DATABASE_URL: `postgres://telemetry:telemetry@127.0.0.1:${POSTGRES_PORT}/telemetry` }
      : {}),
  };
}

/** The settings in an environment. A setting with an empty text is there too: it takes an earlier one back. */
export function settingsIn(env: Environment): Settings {
  const entries = settingNames().flatMap((name) => {
    const text = env[name];
    if (text === undefined) return [];
    return [[name, isPath(name) && text !== "" ? resolve(text) : text] as const];
  });
  return { ...serversOn(env), ...Object.fromEntries(entries) };
}

/** @returns the earlier settings with those of a new command; an empty one is taken back */
export function mergeSettings(earlier: Settings, typed: Settings): Settings {
  return Object.fromEntries(Object.entries({ ...earlier, ...typed }).filter(([, text]) => text !== ""));
}

/** A short text that is equal for equal settings. */
export function settingsKey(settings: Settings): string {
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 16);
}

/** The time in which everything must have stopped. */
export function shutdownSeconds(settings: Settings): number {
  return parseConfig({ SHUTDOWN_TIMEOUT_SECONDS: settings.SHUTDOWN_TIMEOUT_SECONDS }).shutdownTimeoutSeconds;
}

/** The port of a role's process. */
export function portOf(role: ManagedRole, number: number, settings: Settings): number {
  const { variable, first } = portSettings[role];
  return Number(settings[variable] ?? first) + number - 1;
}

/** What a process is to find in its environment besides that of the supervisor. */
export function environmentOf(
  { role, number, socket }: { readonly role: ManagedRole; readonly number: number; readonly socket: string },
  settings: Settings,
): Settings {
  const { DATABASE_URL_FILE: hasFile } = settings;
  const port = String(portOf(role, number, settings));
  const { DATABASE_URL, ...others } = defaults;
  // a process that uses up its time still ends before the supervisor kills it
  const seconds = Math.max(1, Number(settings.SHUTDOWN_TIMEOUT_SECONDS ?? defaultShutdownSeconds) - 2);
  const drain = settings.SHUTDOWN_DRAIN_SECONDS ?? String(Math.min(drainSeconds, seconds - 1));
  return {
    ...others,
    ...(hasFile === undefined && DATABASE_URL !== undefined ? { DATABASE_URL } : {}),
    ...settings,
    ...{ SHUTDOWN_TIMEOUT_SECONDS: String(seconds), SHUTDOWN_DRAIN_SECONDS: role === "gateway" ? drain : "0" },
    // only one process of a machine can have this port: the one that clients are connected to
    ...(role === "balancer" ? { BALANCER_PORT: port } : { ROLE: role, PORT: port, TLS_REDIRECT_PORT: "" }),
    INSTANCE_NAME: `${role}-${number}`,
    ...{ EXECUTOR: "local", SUPERVISOR_SOCKET: socket },
  };
}

/** @returns the environment without the settings, which processes get from the supervisor only */
export function withoutSettings(env: Environment): Settings {
  const hidden = new Set([...settingNames(), ...ownedNames]);
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, text]) => (text === undefined || hidden.has(name) ? [] : [[name, text]])),
  );
}
