import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defined } from "../../src/kit/defined.ts";
import type { StruckFault } from "../../src/pipeline/source/simulated/faults/fleet-faults.ts";
import { readChosenFaults } from "../../src/pipeline/source/simulated/faults/chosen-faults.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import type { ApiFaultDetail } from "../../src/routes/schemas/fault.ts";
import { rules } from "../fault-rules/scripted-fleet.ts";
import { cases, fromSeconds } from "../fault-rules/simulated-cases.ts";
import { LiveFleet } from "./live-fleet.ts";

// Each default rule, from the simulated fleet's fault to /api/v1/faults, through all parts of a pipeline. The faults of the evaluator
// alone, and what nearly is a fault, are in test/fault-rules.

/** Not here: they need an hour of readings. */
const excluded = ["device.coverage.low", "nvidia.xid.uncured", "host.remediations"];
const names = Object.keys(cases).filter((name) => !excluded.includes(name));
/** Instead of an hour and two, so that fewer readings have to be played. */
const shorter = { "held.wasted": 1200, "driver.mixed": 1200 };
/** Silences the whole fleet after all others. */
const cluster = { name: "cluster.silent", atSeconds: 1860, firesAfterSeconds: 300 };
const [intervalSeconds, gpusPerHost] = [10, 4];
/** Each on a host of its own; one host has none. */
const faults = [...names.map((name) => `${name}@${fromSeconds}s`), `${cluster.name}@${cluster.atSeconds}s`];
const hosts = faults.length + 1;

const dir = await mkdtemp(join(tmpdir(), "telemetry-default-rules-live-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

let fleet: LiveFleet;
let fired: readonly ApiFaultDetail[];
let struck: readonly StruckFault[];
beforeAll(async () => {
  const chosenFaults = readChosenFaults(faults);
  struck = new SimulatedFleet({
    ...{ hosts, gpusPerHost, seed: 1, intervalMs: intervalSeconds * 1000, clusterId: "sim" },
    ...defined({ chosenFaults }),
  }).struck;
  const file = join(dir, "rules.yaml");
  const changes = Object.entries(shorter).map(([name, seconds]) => `${name}:\n  for_seconds: ${seconds}\n`);
  await Bun.write(file, changes.join(""));
  fleet = await LiveFleet.start({
    ...{ CLUSTER_ID: "sim", SIM_SEED: "1", SIM_INTERVAL: `${intervalSeconds}s`, SIM_HOSTS: String(hosts) },
    ...{ SIM_GPUS_PER_HOST: String(gpusPerHost), SIM_FAULTS: faults.join(), FAULT_RULES_FILE: file },
  });
  await fleet.play(cluster.atSeconds - intervalSeconds);
  await fleet.play(cluster.firesAfterSeconds + 60, { isSilent: true });
  fired = await fleet.fired();
}, 240_000);
afterAll(() => fleet.close());

const hostOf = ({ hostname, job }: ApiFaultDetail): string =>
  hostname ?? job?.replace("training/llm-train-", "") ?? "none";

/** Of faults, the names and the seconds since the beginning, which may be two readings off: the cases judge silence and siblings at
 *  readings only, and here a reading passes through a pipeline. */
function expectTold(told: readonly ApiFaultDetail[], expected: readonly string[]): void {
  const seen = told.map(({ name, fired_at: at = "" }) => ({
    name: name.replace(/:.*/, ""),
    // the fleet's first reading is at its first interval's end
    seconds: (Date.parse(at) - fleet.startMs) / 1000 + intervalSeconds - fromSeconds,
  }));
  const wanted = expected.map((each) => ({ name: each.replace(/.* /, ""), seconds: parseInt(each) }));
  const inOrder = (list: typeof seen): typeof seen =>
    list.toSorted((a, b) => (a.name === b.name ? a.seconds - b.seconds : a.name < b.name ? -1 : 1));
  expect(inOrder(seen).map(({ name }) => name)).toEqual(inOrder(wanted).map(({ name }) => name));
  const late = inOrder(seen).map(({ seconds }, index) => seconds - (inOrder(wanted)[index]?.seconds ?? NaN));
  expect(late.filter((each) => !(Math.abs(each) <= 2 * intervalSeconds))).toEqual([]);
}

/** The rule's case, with the shorter time. */
function expectedOf(rule: string): string[] {
  const told = cases[rule]?.told ?? [];
  return told.map((each) => each.replace("7200 held.wasted", `${shorter["held.wasted"]} held.wasted`));
}

test("every default rule is here, except the excluded ones", () => {
  const here = [...names, ...excluded, cluster.name].toSorted();
  expect(here).toEqual(rules.map(({ id }) => id).toSorted());
});

describe("through a whole pipeline, a default rule fires on its fault, in its time, once, and nothing else does", () => {
  for (const rule of names.filter((each) => each !== "driver.mixed")) {
    test(rule, () => {
      const of = struck.find(({ name }) => name === rule);
      const there = fired.filter((fault) => hostOf(fault) === of?.host.hostname);
      expectTold(there, expectedOf(rule));
      const uuids = new Set(of?.gpus.map(({ gpu }) => gpu.uuid));
      expect(there.filter(({ uuid }) => uuid !== undefined && !uuids.has(uuid))).toEqual([]);
    });
  }

  test("driver.mixed and cluster.silent, and nothing on the host without a fault", () => {
    const hostnames = new Set(struck.filter(({ name }) => name !== cluster.name).map(({ host }) => host.hostname));
    const silentAt = cluster.atSeconds - fromSeconds + cluster.firesAfterSeconds;
    const expected = [`${shorter["driver.mixed"] + intervalSeconds} driver.mixed`, `${silentAt} ${cluster.name}`];
    expectTold(
      fired.filter((fault) => !hostnames.has(hostOf(fault))),
      expected,
    );
  });

  test("each change is told once", () => {
    const states = fired.map(({ changes }) => changes.map(({ state }) => state));
    expect(states.length).toBeGreaterThan(50);
    for (const each of states) expect(each).toEqual([...new Set(each)]);
  });
});
