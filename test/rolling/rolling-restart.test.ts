import { expect, test } from "bun:test";
import { rollingRestart } from "./rolling-restart.ts";

// The short form of `bun run test:rolling`.

test("a rolling restart of two gateways behind a balancer fails no request, and clients of WebSockets miss no record", async () => {
  const lines: string[] = [];
  const outcome = await rollingRestart(
    { requestsPerSecond: 50, sockets: 20, rounds: 1, calmMs: 2000 },
    (line) => void lines.push(line),
  );
  expect(outcome.failed).toEqual([]);
  expect(outcome.answered).toBeGreaterThan(200);
  expect(outcome.expected).toBeGreaterThan(1000);
  expect([outcome.missed, outcome.repeated]).toEqual([0, 0]);
  expect(outcome.breaks).toBeGreaterThanOrEqual(20);
  expect(outcome.failedByKill.length).toBeLessThanOrEqual(outcome.inFlightAtKill);
}, 240_000);
