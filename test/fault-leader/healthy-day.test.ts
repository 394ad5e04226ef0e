import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ChosenFault, StruckFault } from "../../src/pipeline/source/simulated/faults/fleet-faults.ts";
import type { SimulatedFault } from "../../src/pipeline/source/simulated/faults/simulated-fault.ts";
import type { ApiFaultDetail } from "../../src/routes/schemas/fault.ts";
import { LiveFleet } from "./live-fleet.ts";
import { LossyFleet } from "./lossy-fleet.ts";

// A healthy fleet through all parts of a pipeline: records are lost, hosts start again, hosts and devices are under maintenance, and the
// pipeline is closed and opened again. No fault may fire. By default 30 minutes of a small fleet pass, with shorter pauses; a whole day:
//   FAULT_DAY_HOURS=24 bun test ./test/fault-leader/healthy-day.test.ts --timeout 3600000
// test/fault-rules/healthy-fleet.test.ts is such a day for the evaluator alone.

const hours = Number(process.env["FAULT_DAY_HOURS"] ?? 0.5);
const isWhole = hours >= 24;
const seconds = hours * 3600;
/** The longest that the fleet may take: 60 times as fast as its time passes. */
const limitMs = (seconds * 1000) / 60;
const intervalSeconds = isWhole ? 10 : 20;
/** At a share of the day. */
const at = (share: number): number => Math.round((share * seconds) / intervalSeconds) * intervalSeconds;

/** So long is a host off, and longer than the rules of silence accept without maintenance. */
const offSeconds = Math.max(240, seconds / 24);
const reboot: SimulatedFault = { strikes: "host", lost: 1, resets: [offSeconds], lastsSeconds: offSeconds };
const chosen = (name: string, share: number, fault: SimulatedFault): ChosenFault => ({
  ...{ name, fault, fromSeconds: at(share), toSeconds: Infinity },
});
/** What happens in a healthy fleet, and one fault after the day: it shows that faults would have been told. */
const chosenFaults = [
  chosen("a host is off, under maintenance until a time that is said before", 0.1, reboot),
  chosen("a host is off, under maintenance until it is restored", 0.45, reboot),
  chosen("a GPU is taken out, under maintenance", 0.75, { lost: 1 }),
  // a reading and some seconds less than a host may be silent, 60 s: records may arrive late
  chosen("an exporter restarts", 0.2, { strikes: "host", lost: 1, lastsSeconds: 30 }),
  chosen("an exporter restarts again", 0.85, { strikes: "host", lost: 1, lastsSeconds: 30 }),
  chosen("a host starts again at once", 0.55, { strikes: "host", lost: 1, resets: [20], lastsSeconds: 30 }),
  chosen("a GPU is gone", 1, { lost: 1 }),
];
/** Pauses of the pipeline: at a share of the day, for so many seconds at most. One is during a maintenance. */
const ofEachDay: readonly (readonly [share: number, seconds: number])[] = [
  [0.46, 60],
  [0.9, 4000],
];
const ofWholeDay: typeof ofEachDay = [
  [0.05, 10],
  [0.3, 280],
  [0.65, 900],
];
const pauses = isWhole ? [...ofEachDay, ...ofWholeDay] : ofEachDay;

const readings = new LossyFleet({
  ...{
    hosts: 8,
    gpusPerHost: isWhole ? 8 : 4,
    seed: 3,
    intervalMs: intervalSeconds * 1000,
    clusterId: "sim",
    lost: 0.01,
  },
  chosenFaults,
});
const struckBy = (index: number): StruckFault => readings.fleet.struck[index] as StruckFault;

let live: LiveFleet;
let fired: readonly ApiFaultDetail[];
let tookMs: number;

const inventory = (action: string, place: Readonly<Record<string, string>>): Promise<unknown> =>
  live.api(`/inventory/${action}?${new URLSearchParams(place).toString()}`, "POST");
const instant = (second: number): string => new Date(live.startMs + second * 1000).toISOString();

/** What an operator does, and when. */
const orders: readonly (readonly [second: number, order: () => Promise<unknown>])[] = [
  [
    at(0.1) - 20,
    () =>
      inventory("maintenance", {
        hostname: struckBy(0).host.hostname,
        ...{ start_time: instant(at(0.1) - 20), end_time: instant(at(0.1) + offSeconds + 120) },
      }),
  ],
  [
    at(0.45) - 20,
    () => inventory("maintenance", { hostname: struckBy(1).host.hostname, start_time: instant(at(0.45) - 20) }),
  ],
  [
    at(0.45) + offSeconds + 120,
    () => inventory("restore", { hostname: struckBy(1).host.hostname, end_time: instant(at(0.45) + offSeconds + 120) }),
  ],
  [
    at(0.75) - 20,
    () =>
      inventory("maintenance", { gpu_uuid: struckBy(2).gpus[0]?.gpu.uuid ?? "", start_time: instant(at(0.75) - 20) }),
  ],
];

beforeAll(async () => {
  const startedMs = performance.now();
  live = await LiveFleet.start({ SIM_INTERVAL: `${intervalSeconds}s` }, { readings, beganMs: (seconds + 3600) * 1000 });
  const restarts = pauses.map(
    ([share, pause]) => [at(share), () => live.restart(Math.min(pause, seconds / 20))] as const,
  );
  for (const [second, act] of [...orders, ...restarts].toSorted(([a], [b]) => a - b)) {
    await live.play(second - live.seconds);
    await act();
  }
  await live.play(seconds - live.seconds);
  tookMs = performance.now() - startedMs;
  // a leader that takes over waits two minutes before it tells of silence
  await live.play(300);
  fired = await live.fired();
}, 3_600_000);
afterAll(() => live.close());

test("of a healthy fleet, with 1 % of records lost, restarts and maintenance, nothing fires, and then what is a fault does", () => {
  const told = fired.map(({ name, hostname, uuid, fired_at: time, why }) => ({ name, hostname, uuid, time, why }));
  const gone = struckBy(6).gpus[0]?.gpu.uuid;
  expect(told.filter(({ uuid }) => uuid !== gone)).toEqual([]);
  expect(told.map(({ name }) => name)).toEqual(["device.gone"]);
});

test.if(isWhole)("its time passes at 60 times the speed", () => {
  console.log(`${hours} h of the fleet took ${Math.round(tookMs / 1000)} s: ${Math.round((seconds * 1000) / tookMs)}x`);
  expect(tookMs).toBeLessThan(limitMs);
});
