import { afterAll, beforeAll, expect, test } from "bun:test";
import { runPushes } from "./harness/pushes/run-pushes.ts";
import { type Servers, startPlainServers } from "./harness/processes.ts";

// A short form of `bun run test:faults --pushes`.

const seed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startPlainServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

test(`each pushed record is stored once, while gateways and collectors are killed and pushes are sent again (seed ${seed})`, async () => {
  const { violations, history, figures } = await runPushes({
    servers,
    seed,
    records: 10_000,
    batchMaxRows: 500,
  });
  if (violations.length > 0) process.stderr.write(`${history.join("\n")}\n`);
  expect(violations).toEqual([]);
  expect([figures.kills > 0, figures.sentAgain > 0]).toEqual([true, true]);
}, 300_000);
