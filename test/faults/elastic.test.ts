import { afterAll, beforeAll, expect, test } from "bun:test";
import { runElastic } from "./harness/elastic/run-elastic.ts";
import { type Servers, startPlainServers } from "./harness/processes.ts";

// A short form of `bun run test:elastic`.

const seed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startPlainServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

test("while processes are added, killed and stopped, nothing is lost or stored twice, and the new ones get a share of the work", async () => {
  const result = await runElastic({ servers, seed, samples: 100_000, samplesPerSecond: 2500, batchSize: 200 });
  if (result.violations.length > 0) process.stderr.write(`${result.history.join("\n")}\n`);
  expect(result.violations).toEqual([]);
  for (const shares of Object.values(result.shares)) {
    const fair = shares.reduce((sum, { samples }) => sum + samples, 0) / shares.length;
    // with few messages, and on a machine whose processors are busy, shares differ more than in a long run
    expect(Math.max(...shares.map(({ samples }) => samples))).toBeLessThan(fair * 2);
    expect(Math.min(...shares.map(({ samples }) => samples))).toBeGreaterThan(fair / 3);
  }
}, 400_000);
