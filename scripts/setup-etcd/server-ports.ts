import { parseConfig } from "../../src/config/parse-config.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The port of a server. */
export interface ServerPort {
  readonly port: number;
  /** The variable that names the port; undefined if none does, and the port is the default. */
  readonly namedBy?: string;
}

/** The user, its password and the database all have this name. */
export const account = "telemetry";

/** Addresses that lead to the servers, which listen on 127.0.0.1. */
const ownHosts: ReadonlySet<string> = new Set(["localhost", "127.0.0.1"]);

/** The ports that ETCD_PORT and POSTGRES_PORT name, or else ETCD_ENDPOINTS and DATABASE_URL, or else the usual ones.
 *  @throws Error with a sentence for people if a setting names a server that setup-etcd does not start, or two settings contradict
 *  each other */
export function serverPorts(env: Environment): { readonly etcd: ServerPort; readonly postgres: ServerPort } {
  const { ETCD_ENDPOINTS, DATABASE_URL, DATABASE_URL_FILE } = env;
  const { etcdEndpoints, databaseUrl } = parseConfig({ ETCD_ENDPOINTS, DATABASE_URL, DATABASE_URL_FILE });
  const etcd = { setting: "ETCD_ENDPOINTS", port: etcdEndpoints && etcdPortIn(etcdEndpoints) };
  const postgres = {
    setting: "DATABASE_URL",
    port: databaseUrl === undefined ? undefined : postgresPortIn(databaseUrl),
  };
  return {
    etcd: chosenPort({ env, variable: "ETCD_PORT", byDefault: 2379, address: etcd }),
    postgres: chosenPort({ env, variable: "POSTGRES_PORT", byDefault: 5432, address: postgres }),
  };
}

interface PortChoice {
  readonly env: Environment;
  /** The variable that has only a port. */
  readonly variable: string;
  readonly byDefault: number;
  /** The setting that has an address, and the port of this address if it is set. */
  readonly address: { readonly setting: string; readonly port: number | undefined };
}

function chosenPort({ env, variable, byDefault, address }: PortChoice): ServerPort {
  const { setting, port: addressed } = address;
  const typed = portIn(env, variable);
  if (typed === undefined && addressed === undefined) return { port: byDefault };
  if (typed === undefined || addressed === undefined || typed === addressed) {
    return { port: typed ?? addressed ?? byDefault, namedBy: typed === undefined ? setting : variable };
  }
  throw new Error(`${variable}=${typed} contradicts ${setting}, which names port ${addressed}: unset one of the two`);
}

function portIn(env: Environment, variable: string): number | undefined {
  const text = env[variable] ?? "";
  if (text === "") return undefined;
  if (/^\d{1,5}$/.test(text) && isPort(Number(text))) return Number(text);
  throw new Error(`${variable}=${text} is not usable: expected a port from 1 to 65534`);
}

/** etcd also uses the next port. */
const isPort = (port: number): boolean => port >= 1 && port < 65_535;

function etcdPortIn(endpoints: readonly string[]): number {
  const shown = `ETCD_ENDPOINTS=${endpoints.join(",")}`;
  const [first = "", ...others] = endpoints;
  const { hostname, protocol, port } = new URL(first);
  if (others.length > 0) throw refusal(shown, `${endpoints.length} members`, "ETCD_ENDPOINTS");
  if (!ownHosts.has(hostname)) throw refusal(shown, `the host ${hostname}`, "ETCD_ENDPOINTS");
  if (protocol === "https:") throw refusal(shown, "an etcd with https", "ETCD_ENDPOINTS");
  // the port of http itself, 80, is empty
  return checkedPort("ETCD_ENDPOINTS", Number(port || "80"));
}

/** The password of the URL is not shown. */
function postgresPortIn(text: string): number {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") throw refusal("DATABASE_URL", "no host, or several", "DATABASE_URL");
  const { hostname, username, password, port } = url;
  if (!ownHosts.has(hostname)) throw refusal("DATABASE_URL", `the host ${hostname}`, "DATABASE_URL");
  if (username !== account || password !== account) {
    throw refusal("DATABASE_URL", `another user or password than ${account}:${account}`, "DATABASE_URL");
  }
  return checkedPort("DATABASE_URL", Number(port || "5432"));
}

function checkedPort(setting: string, port: number): number {
  if (isPort(port)) return port;
  throw new Error(`${setting} names port ${port}, which is not usable: expected a port from 1 to 65534`);
}

const examples = {
  ETCD_ENDPOINTS: "http://localhost:2379",
  DATABASE_URL: `postgres://${account}:${account}@127.0.0.1:5432/${account}`,
} as const;

function refusal(shown: string, what: string, setting: keyof typeof examples): Error {
  return new Error(
    `${shown} names ${what}, but setup-etcd and stop-etcd are for the servers of this machine: unset ${setting}, or set it to ${examples[setting]}`,
  );
}
