import { isIP } from "node:net";
import { readHostPort } from "./host-port.ts";
import { isLoopback, wholeIPv6 } from "./ip-address.ts";

export interface HostNamesOptions {
  /** The address or name that the process listens on. */
  readonly listensOn: string;
  /** Further names and addresses of the process and its machine. */
  readonly own: readonly string[];
  /** Names and addresses that an operator adds; `*.example.org` stands for every name that ends in it, `*` for every name. */
  readonly allowed: readonly string[];
}

/** Top-level domains whose names no public name server answers.
 *  Source: https://www.iana.org/assignments/special-use-domain-names and ICANN's resolution 2024.07.29.06 (internal) */
const privateDomains = [".local", ".internal", ".home.arpa"];

/** The names under which a process answers: the Host headers that do not come from a page whose own name was made to lead here (DNS
 *  rebinding). For such a page, the browser would take the process's answers for its own.
 *
 *  A process that only its machine reaches answers under the names of the loopback address, its own, and those that are allowed. One
 *  that a network reaches also answers under every IP address, which no name server can change, and under names that no public
 *  name server answers: names without a dot, and those of private domains. */
export class HostNames {
  private readonly names: ReadonlySet<string>;
  private readonly suffixes: readonly string[];
  private readonly isAnyAllowed: boolean;
  private readonly isOnNetwork: boolean;
  /** The last header that was included: most requests have the same. */
  private lastIncluded: string | undefined;

  constructor({ listensOn, own, allowed }: HostNamesOptions) {
    this.isAnyAllowed = allowed.includes("*");
    this.suffixes = allowed.filter((name) => name.startsWith("*.")).map((name) => normal(name.slice(1)));
    this.names = new Set([listensOn, ...own, ...allowed].map(normal));
    this.isOnNetwork = !isOfLoopback(normal(listensOn));
  }

  /** True if the process answers under this Host header: a name or an address, with any port. */
  includes(host: string): boolean {
    if (this.isAnyAllowed || host === this.lastIncluded) return true;
    const name = nameIn(host);
    if (name === undefined) return false;
    const isIncluded = isOfLoopback(name) || this.names.has(name) || this.isPrivate(name) || this.hasSuffix(name);
    if (isIncluded) this.lastIncluded = host;
    return isIncluded;
  }

  private isPrivate(name: string): boolean {
    if (!this.isOnNetwork) return false;
    return isIP(name) !== 0 || !name.includes(".") || privateDomains.some((domain) => name.endsWith(domain));
  }

  private hasSuffix(name: string): boolean {
    return this.suffixes.some((suffix) => name.endsWith(suffix) && name.length > suffix.length);
  }
}

/** The name in a Host header, in its normal form; undefined if the text is not one host with or without a port. */
function nameIn(host: string): string | undefined {
  if (host.includes("/")) return undefined;
  const read = readHostPort(host);
  return read === undefined ? undefined : normal(read.host);
}

/** Lower case, without brackets and the dot that ends a complete name; an IPv6 address with all its groups. */
function normal(name: string): string {
  const bare = name
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  return isIP(bare) === 6 ? wholeIPv6(bare) : bare;
}

/** True for localhost, the names under it, and the addresses that lead to the same machine. */
function isOfLoopback(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || isLoopback(name);
}
