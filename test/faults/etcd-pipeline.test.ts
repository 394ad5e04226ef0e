import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Servers, startServers } from "./harness/processes.ts";
import { runSeed } from "./harness/run-seed.ts";

// A short form of `bun run test:faults`.

const firstSeed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

for (const [seed, first, settles] of [
  [firstSeed, "tables-disk", true],
  [firstSeed + 1, "cluster-disk", false],
  [firstSeed + 2, "failover", false],
  [firstSeed + 3, "second-pipeline", true],
] as const) {
  test(`two streamers, three collectors and two coordinators keep the invariants I1 to I8, I10 and I11 while processes and servers fail (seed ${seed}, first fault: ${first}${settles ? ", most records late for a settled hour" : ""})`, async () => {
    const { violations, history, faults } = await runSeed({ servers, seed, durationMs: 6000, first, settles });
    expect(faults[0]?.kind).toBe(first);
    expect(faults.length).toBeGreaterThan(1);
    if (violations.length > 0) process.stderr.write(`${history.join("\n")}\n`);
    expect(violations).toEqual([]);
  }, 180_000);
}
