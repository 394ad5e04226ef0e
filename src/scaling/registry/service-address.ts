import { isIP } from "node:net";
import { defined } from "../../kit/defined.ts";
import { readHostPort, urlOfHost } from "../../kit/host-port.ts";
import type { ServiceInstance } from "./service-instance.ts";

/** The settings that decide a process's address. */
export interface AddressSettings {
  readonly serviceAddress?: string | undefined;
  readonly externalServiceAddress?: string | undefined;
  readonly podIp?: string | undefined;
  /** The address that the process listens on. */
  readonly host: string;
  /** Set if the process serves TLS. */
  readonly tlsCertFile?: string | undefined;
}

/** What a machine says about itself. */
export interface Machine {
  readonly hostName: string;
  /** @returns the addresses of a host name; empty if there are none */
  addressesOf(hostName: string): Promise<readonly string[]>;
  /** The addresses of the machine's interfaces, in the machine's order. */
  interfaceAddresses(): readonly string[];
}

/** Where other processes reach a process. */
export type ServiceAddress = Pick<ServiceInstance, "address" | "port" | "url" | "external_url">;

const loopback = "127.0.0.1";

/** Finds the address of this process. The first of these that is known counts: SERVICE_ADDRESS, EXTERNAL_SERVICE_ADDRESS, POD_IP,
 *  HOST if it is one address and not all, the machine's name if it leads to the machine from elsewhere, the address of the
 *  machine's first interface.
 *  @returns a function from the port that the process listens on to its address */
export async function findServiceAddress(
  settings: AddressSettings,
  machine: Machine,
): Promise<(listeningPort: number) => ServiceAddress> {
  const scheme = settings.tlsCertFile === undefined ? "http" : "https";
  const external = read(settings.externalServiceAddress, scheme);
  const named = read(settings.serviceAddress, scheme) ?? external;
  const place = named ?? { scheme, host: await foundHost(settings, machine), port: undefined };
  return (listeningPort) => {
    const port = place.port ?? listeningPort;
    const externalUrl = external && urlOfHost({ ...external, port: external.port ?? listeningPort });
    return {
      address: place.host,
      port,
      url: urlOfHost({ ...place, port }),
      ...defined({ external_url: externalUrl }),
    };
  };
}

function read(text: string | undefined, scheme: "http" | "https") {
  return text === undefined ? undefined : readHostPort(text, scheme);
}

async function foundHost({ podIp, host }: AddressSettings, machine: Machine): Promise<string> {
  if (podIp !== undefined) return podIp;
  if (!isUnspecified(host)) return host;
  const { hostName } = machine;
  const addresses = await machine.addressesOf(hostName);
  if (addresses.length > 0 && !addresses.some(isLoopback)) return hostName;
  const reachable = machine.interfaceAddresses().filter((address) => !isLoopback(address) && !isLinkLocal(address));
  return reachable.find((address) => isIP(address) === 4) ?? reachable[0] ?? loopback;
}

/** True for an address that means all addresses of the machine. */
function isUnspecified(host: string): boolean {
  return ["0.0.0.0", "::", "[::]", "*"].includes(host);
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
}

/** True for an address that is valid only together with the name of an interface. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address) || address.startsWith("169.254.");
}
