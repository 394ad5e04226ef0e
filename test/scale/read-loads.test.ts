import { expect, test } from "bun:test";
import { loadsOn } from "../../scripts/scale/read-loads.ts";
import { UsageMeter } from "../../scripts/scale/process-usage.ts";
import { instanceOf } from "../contract/service-registry.ts";

test("a process's load is that of its newest entry: one that died is listed until its lease ends, and other hosts have the same ids", () => {
  const entry = (id: string, host: string, startedAt: string, samples: number) =>
    instanceOf(id, { ...{ host, pid: 7, started_at: startedAt }, load: { samples_per_second: samples } });
  const alive = entry("b", "here", "2025-07-18T20:45:00Z", 2);
  const instances = [
    alive,
    entry("a", "here", "2025-07-18T20:42:34Z", 1),
    entry("c", "there", "2025-07-18T20:50:00Z", 3),
  ];
  expect([...loadsOn("here", instances)]).toEqual([[7, { samples_per_second: 2 }]]);
});

test.skipIf(process.platform !== "linux")(
  "what processes use is known without their reports, until they have ended",
  async () => {
    const ended = Bun.spawn(["true"]);
    await ended.exited;
    const meter = new UsageMeter([process.pid, ended.pid]);
    const busyUntil = performance.now() + 100;
    while (performance.now() < busyUntil);
    const loads = await meter.read();
    expect([...loads.keys()]).toEqual([process.pid]);
    const { cpu_percent: cpu = 0, rss_bytes: rss = 0 } = loads.get(process.pid) ?? {};
    expect(cpu).toBeGreaterThan(0);
    expect(rss).toBeGreaterThan(10_000_000);
  },
);
