import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Servers, startServers } from "./harness/processes.ts";
import { runSeed } from "./harness/run-seed.ts";

// A short form of `bun run test:faults`; I12 has one of its own, `subscribers-under-kills.test.ts`.

const firstSeed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

for (const { seed, first, settles = false, watches = false } of [
  { seed: firstSeed, first: "tables-disk", settles: true },
  // with coordinators, a run takes about twice the CPU time
  { seed: firstSeed + 1, first: "cluster-disk", watches: true },
  { seed: firstSeed + 2, first: "failover" },
  { seed: firstSeed + 3, first: "second-pipeline", settles: true },
] as const) {
  test(`two streamers and three collectors keep the invariants I1 to I8 and I10${watches ? ", and two coordinators I11," : ""} while processes and servers fail (seed ${seed}, first fault: ${first}${settles ? ", most records late for a settled hour" : ""})`, async () => {
    const { violations, history, faults } = await runSeed({
      ...{ servers, seed, durationMs: 6000, first, settles, watches, subscribes: false, isBrief: true },
    });
    expect(faults[0]?.kind).toBe(first);
    expect(faults.length).toBeGreaterThan(1);
    if (violations.length > 0) process.stderr.write(`${history.join("\n")}\n`);
    expect(violations).toEqual([]);
  }, 180_000);
}
