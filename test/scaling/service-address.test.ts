import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse-config.ts";
import { type AddressSettings, findServiceAddress, type Machine } from "../../src/scaling/registry/service-address.ts";

const pod: Machine = {
  hostName: "gateway-7f",
  addressesOf: () => Promise.resolve(["10.244.1.7"]),
  interfaceAddresses: () => ["127.0.0.1", "::1", "fe80::1", "fd00::7", "192.168.1.7", "10.9.9.9"],
};
const onAll = { host: "0.0.0.0" };

async function urlFor(settings: AddressSettings, machine: Partial<Machine> = {}): Promise<string> {
  return (await findServiceAddress(settings, { ...pod, ...machine }))(8080).url;
}

describe("the address of a process", () => {
  test("is the first that is known, in the documented order", async () => {
    const all = { ...onAll, serviceAddress: "inner", externalServiceAddress: "outer.example", podIp: "10.244.1.7" };
    expect(await urlFor(all)).toBe("http://inner:8080");
    expect(await urlFor({ ...all, serviceAddress: undefined })).toBe("http://outer.example:8080");
    expect(await urlFor({ ...onAll, podIp: "10.244.1.7" })).toBe("http://10.244.1.7:8080");
    expect(await urlFor(onAll)).toBe("http://gateway-7f:8080");
    expect(await urlFor(onAll, { addressesOf: () => Promise.resolve([]) })).toBe("http://192.168.1.7:8080");
  });

  test("is the only address that the process listens on, because no other would answer", async () => {
    expect(await urlFor({ host: "127.0.0.1" })).toBe("http://127.0.0.1:8080");
    expect(await urlFor({ host: "::1" })).toBe("http://[::1]:8080");
    expect(await urlFor({ host: "10.0.0.5" })).toBe("http://10.0.0.5:8080");
  });

  test("is not a host name that leads to the machine only from the machine itself, as Debian's hosts file has it", async () => {
    for (const loopback of ["127.0.1.1", "127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      expect(await urlFor(onAll, { addressesOf: () => Promise.resolve([loopback]) })).toBe("http://192.168.1.7:8080");
    }
  });

  test("is an IPv6 address if the machine has no other, and loopback if it has no network", async () => {
    const unnamed = { addressesOf: () => Promise.resolve([]) };
    const interfacesOf = (...addresses: string[]) => ({ ...unnamed, interfaceAddresses: () => addresses });
    expect(await urlFor(onAll, interfacesOf("::1", "fe80::1", "fd00::7"))).toBe("http://[fd00::7]:8080");
    expect(await urlFor(onAll, interfacesOf("127.0.0.1", "169.254.3.4"))).toBe("http://127.0.0.1:8080");
  });

  test("has the port and the scheme that a setting names", async () => {
    expect(await urlFor({ ...onAll, serviceAddress: "inner:9000" })).toBe("http://inner:9000");
    expect(await urlFor({ ...onAll, serviceAddress: "https://inner" })).toBe("https://inner");
    expect(await urlFor({ ...onAll, serviceAddress: "[fd00::7]:9000" })).toBe("http://[fd00::7]:9000");
    expect(await urlFor({ ...onAll, serviceAddress: "fd00::7" })).toBe("http://[fd00::7]:8080");
    const addressAt = await findServiceAddress({ ...onAll, externalServiceAddress: "https://gpu.example/" }, pod);
    expect(addressAt(8080)).toEqual({
      ...{ address: "gpu.example", port: 443, url: "https://gpu.example" },
      external_url: "https://gpu.example",
    });
    const inside = await findServiceAddress(
      { ...onAll, externalServiceAddress: "gpu.example", serviceAddress: "a" },
      pod,
    );
    expect(inside(8080)).toEqual({
      ...{ address: "a", port: 8080, url: "http://a:8080", external_url: "http://gpu.example:8080" },
    });
  });

  test("is refused at the start if a setting is no address", () => {
    for (const address of ["http://a/path", "a b", "a:0", "a:70000", "ftp://a", "[::g]", "http://", "a:b"]) {
      expect(() => parseConfig({ SERVICE_ADDRESS: address })).toThrow(`SERVICE_ADDRESS=${address} is not usable`);
      expect(() => parseConfig({ EXTERNAL_SERVICE_ADDRESS: address })).toThrow("EXTERNAL_SERVICE_ADDRESS=");
    }
    expect(() => parseConfig({ POD_IP: "pod-7" })).toThrow("POD_IP=pod-7 is not usable: expected an IP address");
    expect(parseConfig({ POD_IP: "fd00::7", SERVICE_ADDRESS: "fd00::7" }).podIp).toBe("fd00::7");
  });
});
