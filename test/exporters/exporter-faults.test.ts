import { afterEach, describe, expect, test } from "bun:test";
import { serveExporters, type ServedExporters } from "../../dev/exporters/serve-exporters.ts";
import { readTargetsFile } from "../../src/pipeline/source/exporter/discovery/targets-file.ts";
import { openTarget } from "../pipeline/exposition/read-exposition.ts";
import { ManualClock } from "../support/manual-clock.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function serve(
  faults: readonly string[],
  { hosts = 1, seed = 3 } = {},
): { exporters: ServedExporters; clock: ManualClock } {
  const clock = new ManualClock();
  const exporters = serveExporters({
    ...{ hosts, gpusPerHost: 8, seed, intervalMs: 1000, clusterId: "", dialect: "4.8" },
    ...{ per: "path", port: 0, clock, faults },
  });
  stops.push(() => exporters.stop());
  return { exporters, clock };
}

async function scrape({ targets }: ServedExporters, index = 0): Promise<Response> {
  return await fetch(`http://${targets[index]?.address}${targets[index]?.path}`);
}

const textOf = async (exporters: ServedExporters, index = 0): Promise<string> =>
  await (await scrape(exporters, index)).text();
const devicesIn = (text: string): Set<string> => new Set(openTarget()(text).records.map(({ gpu }) => gpu.uuid));

describe("faults of answers", () => {
  test("a share of the answers has a status; the same seed gives the same answers", async () => {
    const statuses = async (seed: number): Promise<number[]> => {
      const { exporters } = serve(["503:0.3"], { seed });
      const found: number[] = [];
      for (let n = 0; n < 40; n += 1) found.push((await scrape(exporters)).status);
      return found;
    };
    const first = await statuses(3);
    expect(first.filter((status) => status === 503).length).toBeWithin(4, 25);
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await statuses(3)).toEqual(first);
    expect(await statuses(4)).not.toEqual(first);
  });

  test("a slow answer comes when its time has passed", async () => {
    const { exporters, clock } = serve(["slow:2s"]);
    const answer = scrape(exporters);
    while (clock.sleeperCount === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(Bun.peek.status(answer)).toBe("pending");
    await clock.advance(2000);
    expect((await answer).status).toBe(200);
  });

  test("half an answer ends with an error, a cut one within a line", async () => {
    const { exporters } = serve(["half"]);
    await expect(textOf(exporters)).rejects.toThrow();
    exporters.setFaults([]);
    const whole = await textOf(exporters);
    exporters.setFaults(["cut"]);
    const cut = await textOf(exporters);
    expect(whole).toStartWith(cut);
    expect(cut).not.toEndWith("\n");
  });
});

describe("faults of exporters", () => {
  test("frozen values stay, and go on when the fault has ended", async () => {
    const { exporters, clock } = serve(["frozen@5s-20s"]);
    const before = await textOf(exporters);
    await clock.advance(4000);
    const last = await textOf(exporters);
    expect(last).not.toBe(before);
    await clock.advance(10_000);
    expect(await textOf(exporters)).toBe(last);
    await clock.advance(10_000);
    expect(await textOf(exporters)).not.toBe(last);
  });

  test("a GPU vanishes and comes back", async () => {
    const { exporters } = serve([]);
    const all = devicesIn(await textOf(exporters));
    exporters.setFaults(["vanishing-gpu"]);
    const fewer = devicesIn(await textOf(exporters));
    expect(fewer.size).toBe(all.size - 1);
    exporters.setFaults([]);
    expect(devicesIn(await textOf(exporters))).toEqual(all);
  });

  test("a GPU is divided into MIG instances", async () => {
    const { exporters, clock } = serve([]);
    const whole = devicesIn(await textOf(exporters));
    exporters.setFaults(["mig-reconfigured"]);
    await clock.advance(1000);
    const divided = [...devicesIn(await textOf(exporters))].filter((uuid) => !whole.has(uuid));
    expect(divided.length).toBeGreaterThan(0);
    expect(new Set(divided.map((uuid) => uuid.split(":mig:")[0])).size).toBe(1);
  });

  test("an exporter restarts as another one, with the same devices", async () => {
    const { exporters } = serve([]);
    const target = openTarget();
    const old = target(await textOf(exporters));
    exporters.setFaults(["restarted-as:4.9"]);
    const renamed = target(await textOf(exporters));
    expect([old.dialect, renamed.dialect]).toEqual(["dcgm", "dcgm-4.9"]);
    expect(renamed.records.map(({ gpu }) => gpu.uuid)).toEqual(old.records.map(({ gpu }) => gpu.uuid));
  });

  test("a share of the exporters has a fault, and the seed decides which", async () => {
    const struck = async (seed: number): Promise<number[]> => {
      const { exporters } = serve(["restarted-as:amd:0.5"], { hosts: 12, seed });
      const texts = await Promise.all(exporters.targets.map((_, index) => textOf(exporters, index)));
      return texts.flatMap((text, index) => (text.includes("gpu_gfx_activity") ? [index] : []));
    };
    const first = await struck(3);
    expect(first.length).toBeWithin(2, 11);
    expect(await struck(3)).toEqual(first);
    expect(await struck(4)).not.toEqual(first);
  });
});

test("faults are shown, replaced and ended over HTTP; those that are not usable change nothing", async () => {
  const { exporters } = serve(["500"]);
  const url = `http://${exporters.targets[0]?.address}/-/faults`;
  expect(await (await fetch(url)).text()).toBe("500\n");
  expect(await (await fetch(url, { method: "PUT", body: "404\nfrozen:0.5@1m\n" })).text()).toBe("404\nfrozen:0.5@1m\n");
  expect((await scrape(exporters)).status).toBe(404);
  for (const wrong of [
    "slow",
    "slow:2",
    "700",
    "half:2",
    "frozen@5s-4s",
    "frozen@1s-2s-3s",
    "restarted-as:3.0",
    "500:1:1",
  ]) {
    const refused = await fetch(url, { method: "PUT", body: wrong });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(JSON.stringify(wrong))]);
  }
  expect((await scrape(exporters)).status).toBe(404);
  expect((await fetch(url, { method: "DELETE" })).status).toBe(200);
  expect((await scrape(exporters)).status).toBe(200);
});

test("the file of targets names each exporter with its host", () => {
  const { exporters } = serve([], { hosts: 2 });
  const targets = readTargetsFile({ path: "targets.json", text: exporters.targetsFile }, "c1");
  expect(targets.map(({ url, labels }) => [url, labels["hostname"]])).toEqual(
    exporters.targets.map(({ address, path, hostname }) => [`http://${address}${path}`, hostname]),
  );
});
