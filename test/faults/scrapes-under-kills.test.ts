import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Servers, startPlainServers } from "./harness/processes.ts";
import { runScrapes } from "./harness/scrapes/run-scrapes.ts";

// A short form of `bun run test:faults --scrapes`.

const seed = Number(process.env.TEST_SEED ?? 1);
let servers: Servers;
beforeAll(async () => void (servers = await startPlainServers()), 300_000);
afterAll(() => servers.stop(), 60_000);

test(`each scheduled scrape of 100 exporters is stored once or counted as missed, with 1, 3 and 1 streamers that are killed and frozen (seed ${seed})`, async () => {
  const { violations, history, figures } = await runScrapes({ servers, seed, durationMs: 3000 });
  if (violations.length > 0) process.stderr.write(`${history.join("\n")}\n`);
  expect(violations).toEqual([]);
  expect(figures?.received).toBeGreaterThan(100);
}, 400_000);
