import { expect, test } from "bun:test";
import pino from "pino";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openFleetStore } from "./gateway.ts";

test("uuids and hosts that differ only by upper and lower case stay apart, and are named once", async () => {
  const logged: string[] = [];
  const log = pino({}, { write: (line) => void logged.push((JSON.parse(line) as { msg: string }).msg) });
  const batchOf = (uuid: string, hostname: string, timeMs = 0) =>
    makeBatch([{ uuid, hostname, timeMs, metrics: { temperature: 40 } }]);
  const stored = await openFleetStore([]);
  await stored.store.ingest(messageOf("1", batchOf("GPU-abc", "node-1")));
  await stored.store.ingest(messageOf("2", batchOf("GPU-def", "node-2")));
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const { fleet: store } = stored.queries;
  const fleet = new FleetProjection({ hotTier, store, rereadMs: 2000, clock: new ManualClock(), log });
  await fleet.start();
  try {
    expect(fleet.activity()).toBe("2 GPUs in memory");
    for (const [uuid, hostname] of [
      ["gpu-ABC", "node-1"],
      ["GPU-DEF", "NODE-2"],
      ["Gpu-Def", "node-3"],
      ["GPU-ghi", "Node-4"],
      ["GPU-jkl", "node-4"],
    ] as const) {
      await hotTier.write(batchOf(uuid, hostname), []);
      await hotTier.write(batchOf(uuid, hostname, 1000), []);
    }
    expect(fleet.gpus({})).toHaveLength(7);
    const pairs = logged.flatMap((text) => /^the (?:uuids|hosts) (".*" and ".*") differ only by/.exec(text)?.[1] ?? []);
    const hosts = pairs.filter((pair) => pair.toLowerCase().includes("node"));
    expect(pairs.filter((pair) => !hosts.includes(pair))).toEqual([
      '"GPU-abc" and "gpu-ABC"',
      '"GPU-def" and "GPU-DEF"',
      '"GPU-def" and "Gpu-Def"',
    ]);
    expect(hosts.map((pair) => pair.replace(/"[^/"]*\//g, '"'))).toEqual([
      '"node-2" and "NODE-2"',
      '"Node-4" and "node-4"',
    ]);
    expect(fleet.activity()).toBe("7 GPUs in memory; 5 uuids or hosts differ from others only by upper and lower case");
  } finally {
    await fleet.stop(AbortSignal.abort());
    await stored.close();
  }
});
