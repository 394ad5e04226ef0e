import { beforeAll, describe, expect, test } from "bun:test";
import type { FaultChange } from "../../src/faults/fault.ts";
import type { StruckFault } from "../../src/pipeline/source/simulated/faults/fleet-faults.ts";
import { type SimulatedFault, simulatedFaults } from "../../src/pipeline/source/simulated/faults/simulated-fault.ts";
import { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { rules, startMs } from "./scripted-fleet.ts";
import { cases, fromSeconds } from "./simulated-cases.ts";
import { run } from "./simulated-run.ts";

// Each default rule, on a simulated fleet that has its fault. One fleet has them all, each on a host of its own.

const hour = 3600;

/** A fleet with faults, each on a host of its own; two hosts have none. */
class FaultyFleet {
  private struck: readonly StruckFault[] = [];
  changes: readonly FaultChange[] = [];

  async play(faults: Readonly<Record<string, SimulatedFault>>, seconds: number): Promise<void> {
    const toSeconds = Infinity;
    const chosenFaults = Object.entries(faults).map(([name, fault]) => ({ name, fault, fromSeconds, toSeconds }));
    const fleet = { hosts: chosenFaults.length + 2, gpusPerHost: 4, seed: 1, chosenFaults };
    this.struck = new SimulatedFleet({ ...fleet, intervalMs: 10_000, clusterId: "sim" }).struck;
    const { changes } = await run({ ...fleet, seconds: fromSeconds + seconds });
    this.changes = changes.filter(({ state }) => state === "firing");
  }

  /** What fires on what has the fault, with its time; `elsewhere`: on the other GPUs of its host. */
  of(name: string): { mine: FaultChange[]; elsewhere: FaultChange[] } {
    const struck = this.struck.find((each) => each.name === name);
    const uuids = new Set(struck?.gpus.map(({ gpu }) => gpu.uuid));
    const there = this.changes.filter((change) => hostOf(change) === struck?.host.hostname);
    const [mine, elsewhere] = [true, false].map((isMine) =>
      there.filter(({ subject }) => (subject.kind !== "device" || uuids.has(subject.uuid)) === isMine),
    ) as [FaultChange[], FaultChange[]];
    return { mine, elsewhere };
  }

  /** What fires on hosts without a fault. */
  get ofHealthyHosts(): FaultChange[] {
    const hostnames = new Set(this.struck.map(({ host }) => host.hostname));
    return this.changes.filter((change) => !hostnames.has(hostOf(change)));
  }
}

/** The job that a fault runs on its host is named after the host. */
const hostOf = ({ subject }: FaultChange): string => subject.hostname || subject.job.replace("training/llm-train-", "");
const toldOf = ({ atMs, name }: FaultChange): string =>
  `${(atMs - startMs) / 1000 - fromSeconds} ${name.replace(/:.*/, "")}`;

const without = (names: readonly string[]): string[] => names.filter((name) => name !== "cluster.silent").sort();

test("every default rule has a simulated fault, and its cases here", () => {
  const ids = rules.map(({ id }) => id).sort();
  expect(Object.keys(simulatedFaults).sort()).toEqual(ids);
  expect(Object.keys(cases).sort()).toEqual(without(ids));
});

describe("a default rule fires on the simulated fleet's fault, in its time, and nothing else does", () => {
  const fleet = new FaultyFleet();
  beforeAll(() => {
    const faults = Object.entries(simulatedFaults).filter(([id]) => id in cases);
    return fleet.play(Object.fromEntries(faults), 2 * hour + 300);
  }, 60_000);

  for (const [id, { told }] of Object.entries(cases)) {
    test(id, () => {
      const { mine, elsewhere } = fleet.of(id);
      expect(mine.map(toldOf).sort()).toEqual([...told].sort());
      expect(elsewhere).toEqual([]);
    });
  }
  test("hosts without a fault", () => {
    expect(fleet.changes.length).toBeGreaterThan(40);
    const ofClusters = fleet.ofHealthyHosts.map((change) => `${toldOf(change)} ${change.subject.kind} ${change.why}`);
    expect(ofClusters).toEqual([expect.stringMatching(/^3610 driver.mixed cluster .* 580\.95\.05 on 4\.$/)]);
  });
});

describe("a default rule does not fire on what nearly is its fault", () => {
  const fleet = new FaultyFleet();
  beforeAll(() => {
    return fleet.play(Object.fromEntries(Object.entries(cases).map(([id, { nearMiss }]) => [id, nearMiss])), 2 * hour);
  }, 60_000);

  for (const id of Object.keys(cases)) {
    test(id, () => {
      const { mine, elsewhere } = fleet.of(id);
      expect(mine.filter(({ rule }) => rule === id)).toEqual([]);
      expect(elsewhere).toEqual([]);
    });
  }
});

test("cluster.silent: a cluster that is silent, and one that was for a moment", async () => {
  const silent = { name: "cluster.silent", fault: simulatedFaults["cluster.silent"] as SimulatedFault };
  const fleet = { hosts: 2, gpusPerHost: 4, seed: 1, seconds: 1800 };
  const firing = async (toSeconds: number): Promise<string[]> => {
    const { changes } = await run({ ...fleet, chosenFaults: [{ ...silent, fromSeconds, toSeconds }] });
    return changes.filter(({ state }) => state === "firing").map(toldOf);
  };
  expect(await firing(Infinity)).toEqual(["300 cluster.silent"]);
  expect(await firing(fromSeconds + 290)).toEqual([]);
});
