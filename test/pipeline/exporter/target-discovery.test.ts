import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnusableSource } from "../../../src/domain/errors.ts";
import { fileDiscovery } from "../../../src/pipeline/source/exporter/discovery/file-discovery.ts";
import { srvDiscovery } from "../../../src/pipeline/source/exporter/discovery/srv-discovery.ts";
import { StaticDiscovery } from "../../../src/pipeline/source/exporter/discovery/static-discovery.ts";
import type { Target } from "../../../src/pipeline/source/exporter/target.ts";
import { exerciseTargetDiscovery } from "../../contract/target-discovery.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startDnsServer } from "./dns-server.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

const log = unshownLog();
const dir = mkdtempSync(join(tmpdir(), "targets-"));
afterAll(() => rmSync(dir, { recursive: true }));
const names = ["a:9400", "b:9400"];
const nothing = (): Promise<void> => Promise.resolve();

exerciseTargetDiscovery("StaticDiscovery", () =>
  Promise.resolve({
    discovery: new StaticDiscovery(["b", "a:9400"], "lab"),
    clock: new ManualClock(),
    names,
    close: nothing,
  }),
);

let files = 0;
for (const [form, textOf] of [
  ["simple", (found: readonly string[]) => found.join("\n")],
  ["file_sd", (found: readonly string[]) => JSON.stringify([{ targets: found }])],
] as const) {
  exerciseTargetDiscovery(`the discovery by a file in the ${form} form`, () => {
    const path = join(dir, `targets-${(files += 1)}`);
    writeFileSync(path, textOf(names));
    const clock = new ManualClock();
    return Promise.resolve({
      discovery: fileDiscovery({ path, clusterId: "lab", clock, log }),
      clock,
      names,
      changes: {
        find: async (found) => writeFileSync(path, textOf(found)),
        fail: async () => writeFileSync(path, "[{"),
      },
      close: nothing,
    });
  });
}

exerciseTargetDiscovery("the discovery by SRV records", async () => {
  let found: readonly string[] | undefined = names;
  const server = await startDnsServer((name) => (name === "_dcgm._tcp.example" ? found : undefined));
  const clock = new ManualClock();
  const change = (records: readonly string[] | undefined) => async (): Promise<void> => void (found = records);
  return {
    discovery: srvDiscovery({
      name: "_dcgm._tcp.example",
      clusterId: "lab",
      servers: [server.address],
      clock,
      log,
    }),
    clock,
    names,
    changes: { find: (records) => change(records)(), fail: change(undefined) },
    close: () => server.close(),
  };
});

test("a setting with an unusable target is refused, with the target and what is wrong", () => {
  const open = () => new StaticDiscovery(["a:9400", "ftp://b", "c d"], "lab");
  expect(open).toThrow(UnusableSource);
  expect(open).toThrow(/DCGM_TARGETS: the target "ftp:\/\/b" .*http or https\nDCGM_TARGETS: the target "c d"/);
});

test("an address that servers only listen on is no target", () => {
  for (const address of ["::", "[::]:9400", "0.0.0.0", "0.0.0.0:9400", "http://0/metrics", "::ffff:0.0.0.0"]) {
    expect(() => new StaticDiscovery([address], "lab")).toThrow("it stands for every address of this machine");
  }
  expect(() => new StaticDiscovery(["::1", "127.0.0.1:9400"], "lab")).not.toThrow();
});

test("a file that does not exist, and then does, is read", async () => {
  const path = join(dir, "later");
  const clock = new ManualClock();
  const discovery = fileDiscovery({ path, clusterId: "lab", clock, log });
  const halt = new AbortController();
  const passed: (readonly Target[])[] = [];
  const following = discovery.follow((targets) => passed.push(targets), halt.signal);
  while (discovery.error === undefined) await clock.advance(0);
  expect(discovery.error).toContain(`${path} cannot be read`);
  writeFileSync(path, "a:9400 cluster=other rack=r1 # the first\n");
  while (passed.length === 0) await clock.advance(60_000);
  halt.abort();
  await following;
  expect(passed).toEqual([
    [{ name: "a:9400", url: "http://a:9400/metrics", host: "a", clusterId: "other", labels: { rack: "r1" } }],
  ]);
});
