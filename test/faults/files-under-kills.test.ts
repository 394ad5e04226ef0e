import { afterAll, beforeAll, expect, test } from "bun:test";
import { runFiles } from "./harness/files/run-files.ts";
import { type Servers, startServers } from "./harness/processes.ts";

// A short form of `bun run test:faults --files`.

const seed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

test(`what files contain is stored once, while they grow, shrink, are replaced, repeat and contradict each other, rounds of a file are played, and processes and servers fail (seed ${seed})`, async () => {
  const { violations, history, figures } = await runFiles({ servers, seed, durationMs: 4000, isBrief: true });
  if (violations.length > 0) process.stderr.write(`${history.join("\n")}\n`);
  expect(violations).toEqual([]);
  expect(figures?.contents).toBeGreaterThan(3);
  expect(figures?.rounds).toBeGreaterThan(5);
}, 600_000);
