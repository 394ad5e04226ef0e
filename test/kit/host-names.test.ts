import { describe, expect, test } from "bun:test";
import { HostNames } from "../../src/kit/host-names.ts";

const onLoopback = (allowed: readonly string[] = []) =>
  new HostNames({ listensOn: "127.0.0.1", own: ["node-7", "gw.example.org"], allowed });
const onNetwork = (allowed: readonly string[] = []) =>
  new HostNames({ listensOn: "0.0.0.0", own: ["node-7"], allowed });

const loopback = [
  "localhost",
  "localhost:8080",
  "LOCALHOST.:1",
  "a.localhost",
  "127.0.0.1:80",
  "127.9.9.9",
  "[::1]:8080",
];
const mapped = ["[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"];
const ofAttackers = [
  "evil.example",
  "evil.example:8080",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "xlocalhost",
];
const noHosts = ["", " ", "u@localhost", "localhost/", "http://localhost", "localhost, evil.example", "localhost:0"];
const moreNoHosts = [
  "localhost:99999",
  "localhost:x",
  "[::1",
  "[::1]x",
  "localhost#",
  "localhost\\",
  "..",
  "é.localhost\t",
];

/** Addresses that the parser of URLs refuses. */
const oddAddresses = ["fe80::1%eth0", "[::ffff:1:fff:1:127.0.0.1]:80", "::ff:fff:ff:f:1.2.3.4"];

describe("a process that only its machine reaches", () => {
  test.each([...loopback, ...mapped, "node-7:1", "GW.example.org."])("answers under %p", (host) => {
    expect(onLoopback().includes(host)).toBe(true);
  });

  test.each([...ofAttackers, "10.0.0.5", "gateway", "gw.local", ...noHosts, ...moreNoHosts, ...oddAddresses])(
    "does not answer under %p",
    (host) => expect(onLoopback().includes(host)).toBe(false),
  );
});

describe("a process that a network reaches", () => {
  const noPublicName = [
    "10.0.0.5:8080",
    "[2001:db8::7]",
    "gateway",
    "gateway:8080",
    "gw.default.svc.cluster.local",
    "gw.internal",
  ];

  test.each([...loopback, ...mapped, ...noPublicName, "node-7"])("answers under %p", (host) => {
    expect(onNetwork().includes(host)).toBe(true);
  });

  test.each(["evil.example", "10.0.0.5.evil.example", "evil.localx", ...noHosts.filter((host) => host !== "")])(
    "does not answer under %p",
    (host) => expect(onNetwork().includes(host)).toBe(false),
  );
});

test("ALLOWED_HOSTS adds names, and the names under a domain, but not the domain itself", () => {
  const hosts = onLoopback(["gpus.example.org", "*.corp.example", "10.0.0.5", "2001:DB8::7"]);
  const added = ["GPUS.example.org:443", "a.corp.example", "a.b.corp.example.", "10.0.0.5", "[2001:db8:0:0::7]:80"];
  for (const host of added) expect([host, hosts.includes(host)]).toEqual([host, true]);
  for (const host of ["example.org", "corp.example", "xcorp.example", "a.corp.example.evil.example"]) {
    expect([host, hosts.includes(host)]).toEqual([host, false]);
  }
});

test("ALLOWED_HOSTS=* allows every Host, even one that is none", () => {
  for (const host of [...ofAttackers, ...noHosts]) expect(onLoopback(["*"]).includes(host)).toBe(true);
});
