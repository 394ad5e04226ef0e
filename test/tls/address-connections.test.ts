import { expect, test } from "bun:test";
import { isLoopback } from "../../src/kit/ip-address.ts";
import { AddressConnections } from "../../src/tls/address-connections.ts";

test("an IPv6 network of 64 bits counts as one address, and loopback does not count", () => {
  const connections = new AddressConnections(2, isLoopback);
  const add = (address: string) => connections.add(address);
  const ends = ["2001:db8::1", "2001:db8::2", "::ffff:10.0.0.7", "10.0.0.7"].map(add);
  expect(ends.every((end) => end !== undefined)).toBe(true);
  expect([add("2001:db8:0:0:f::3"), add("10.0.0.7")]).toEqual([undefined, undefined]);
  for (const address of ["10.0.0.8", "2001:db8:0:1::1", "127.0.0.1", "127.0.0.1", "::1", "::1", "::1"]) {
    expect(add(address)).toBeDefined();
  }
  ends[0]?.();
  expect(add("2001:db8::9")).toBeDefined();
  expect(add("2001:db8::9")).toBeUndefined();
});

test("0 is no limit", () => {
  const connections = new AddressConnections(0, () => false);
  for (let opened = 0; opened < 5000; opened++) expect(connections.add("10.0.0.7")).toBeDefined();
});
