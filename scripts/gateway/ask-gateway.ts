import { gatewayAddress } from "./gateway-address.ts";
import { gatewayInit } from "./gateway-init.ts";

/** A successful answer of a gateway. */
export interface GatewayAnswer {
  readonly count: number;
  /** A single object is a list of one. */
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The gateway that TELEMETRY_URL names, or else this machine's.
 *  @throws TypeError if TELEMETRY_URL is no address */
export function gatewayUrl(env: Environment): string {
  return env.TELEMETRY_URL ? gatewayAddress(env.TELEMETRY_URL) : localGateway(env);
}

/** This machine's gateway, with the same settings: at PORT, or else at 8080. */
export function localGateway({ TLS_CERT_FILE, PORT = "" }: Environment): string {
  return `${TLS_CERT_FILE ? "https" : "http"}://localhost:${/^[1-9]\d*$/.test(PORT) ? PORT : 8080}`;
}

/** Requests a list, or an object, of a gateway.
 *  @throws Error with a sentence for people, if no gateway answers or it refuses the request */
export async function askGateway(url: string, path: string): Promise<GatewayAnswer> {
  const response = await fetch(`${url}${path}`, {
    ...gatewayInit(process.env),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause: unknown) => {
    throw new Error(`no gateway answers at ${url}; start one with make scale-local, or set TELEMETRY_URL`, {
      cause,
    });
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${url}${path} answered ${response.status}: ${text.slice(0, 300)}`);
  const { count, data } = JSON.parse(text) as { readonly count: number; readonly data: GatewayAnswer["data"] };
  return { count, data: [data].flat() };
}
