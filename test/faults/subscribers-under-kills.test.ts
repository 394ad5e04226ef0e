import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { type Servers, startPlainServers } from "./harness/processes.ts";
import { openPlainRun, type PlainRun } from "./harness/seed-run.ts";
import { makeSubscribedGateways } from "./harness/subscribers/subscribed-gateways.ts";
import { WatchedFleet } from "./harness/told/watched-fleet.ts";

let servers: Servers;
let run: PlainRun;
let logFolder: string;
beforeAll(async () => {
  servers = await startPlainServers();
  run = await openPlainRun(servers, 1);
  logFolder = await mkdtemp(join(tmpdir(), "telemetry-subscribers-"));
}, 300_000);
afterAll(async () => {
  await run.close();
  await servers.stop();
  await rm(logFolder, { recursive: true });
}, 60_000);

test("subscribers are sent each record while one gateway is killed and the other one frozen (I12)", async () => {
  const fleet = await WatchedFleet.open(run, { seed: 1, durationMs: 60_000 });
  const subscribed = await makeSubscribedGateways({
    ...{ servers, topic: run.topic, databaseUrl: run.databaseUrl, logFolder, seed: 1, leaseSeconds: 3 },
    ...{ csvFile: "", samplesPerSecond: 0, onAcknowledged: () => undefined },
  });
  const { readings } = fleet;
  const isComplete = (): boolean => readings.length > 0 && subscribed.check(readings).length === 0;
  try {
    subscribed.start();
    // without a coordinator, it reports its first round again and again
    const reporting = fleet.begin().catch(() => undefined);
    await until(isComplete, { timeoutMs: 60_000 });
    const before = readings.length;
    const [first, second] = subscribed.gateways;
    first?.signal("SIGKILL");
    second?.signal("SIGSTOP");
    // each subscriber has left its gateway, and has missed some readings
    const hasMissed = (): boolean => subscribed.breaks() >= 4 && readings.length > before + 8;
    await until(hasMissed, { timeoutMs: 60_000 }).finally(() => second?.signal("SIGCONT"));
    await fleet.close();
    await reporting;
    await subscribed.untilSent(readings);
    expect(subscribed.check(readings)).toEqual([]);
  } finally {
    subscribed.close();
    await fleet.close();
    await Promise.all(subscribed.gateways.map((gateway) => gateway.stop("SIGKILL")));
  }
}, 120_000);
