import { isIP, isIPv4, isIPv6 } from "node:net";

/** True for an address of this machine alone: 127.0.0.0/8 or ::1. */
export function isLoopback(address: string): boolean {
  const own = withoutMapping(address);
  return isIPv4(own) ? own.startsWith("127.") : isIPv6(own) && groupsOf(own).join(":") === "0:0:0:0:0:0:0:1";
}

/** The network that one client has: an IPv4 address is a client; of IPv6, a client has a network of 64 bits, and may use each of
 *  its addresses.
 *  @returns `10.0.0.7` or `2001:db8:0:1::/64`; undefined for a text that is no address
 *  Source: https://www.rfc-editor.org/rfc/rfc6177#section-2 */
export function clientNetwork(address: string): string | undefined {
  const own = withoutMapping(address);
  if (isIPv4(own)) return own;
  return isIPv6(own) ? `${groupsOf(own).slice(0, 4).join(":")}::/64` : undefined;
}

/** The IPv4 address of an IPv6 address such as ::ffff:10.0.0.7; another text stays as it is.
 *  Source: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2 */
function withoutMapping(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  const [high = "", low = ""] = groups.slice(6);
  if (groups.slice(0, 6).join(":") !== "0:0:0:0:0:ffff") return address;
  return [high, low].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join(".");
}

/** An IPv6 address with all eight groups, in lower case without leading zeros, and without its zone.
 *  @param address one that `isIPv6` accepts */
export function wholeIPv6(address: string): string {
  return groupsOf(address).join(":");
}

/** The eight groups of an IPv6 address. The parser of URLs would refuse some addresses: those with a zone, and
 *  `::1:2:3:4:1.2.3.4`. */
function groupsOf(address: string): string[] {
  const [bare = ""] = address.toLowerCase().split("%");
  const [before = "", after] = bare.split("::");
  const start = groupsIn(before);
  const end = groupsIn(after ?? "");
  const zeros = Array.from({ length: Math.max(0, 8 - start.length - end.length) }, () => "0");
  return [...start, ...zeros, ...end];
}

/** The groups of a part of an address; an IPv4 address at its end is two of them. */
function groupsIn(part: string): string[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    const numbers = group.includes(".") ? [a * 256 + b, c * 256 + d] : [parseInt(group, 16)];
    return numbers.map((number) => number.toString(16));
  });
}
