import { expect, test } from "bun:test";
import { clientNetwork, isLoopback } from "../../src/kit/ip-address.ts";

test("a client is an IPv4 address, also inside IPv6, or 64 bits of IPv6", () => {
  for (const [address, network] of [
    ["10.0.0.7", "10.0.0.7"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["::FFFF:0a00:7", "10.0.0.7"],
    ["2001:DB8:0:1:aaaa::1", "2001:db8:0:1::/64"],
    ["2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    // the parser of URLs refuses these
    ["::1:2:3:4:1.2.3.4", "0:0:1:2::/64"],
    ["::ffff:1:fff:1:127.0.0.1%eth0", "0:0:ffff:1::/64"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4::/64"],
    ["1::", "1:0:0:0::/64"],
    ["unknown", undefined],
    ["10.0.0.7:80", undefined],
  ] as const) {
    expect([address, clientNetwork(address)]).toEqual([address, network]);
  }
});

test("the loopback addresses are 127.0.0.0/8 and ::1, in every form", () => {
  for (const own of ["127.0.0.1", "127.255.0.9", "::1", "0:0::0:1", "::ffff:127.0.0.1"])
    expect(isLoopback(own)).toBe(true);
  for (const other of ["10.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "localhost"]) {
    expect(isLoopback(other)).toBe(false);
  }
});
