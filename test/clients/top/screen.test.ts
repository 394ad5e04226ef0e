import { expect, test } from "bun:test";
import { plainLines, screenOf } from "../../../scripts/telemetry/top/screen.ts";
import { snapshotOf } from "../../../scripts/telemetry/top/snapshot.ts";
import { bar, fit, power, span, sparkline } from "../../../scripts/telemetry/top/cells.ts";
import { visibleLines } from "../../../src/domain/visible-text.ts";
import { devicesOf, nowMs, recordOf, sceneOf } from "./devices.ts";

const full = {
  gpu_utilization: 97,
  memory_used_mb: 40_960,
  memory_free_mb: 40_960,
  temperature: 61,
  power_draw: 412.4,
};
const held = { namespace: "training", pod: "llm-0", container: "main" };
/** What a screen must not be broken by: wide characters, an emoji of several, an escape sequence, a right-to-left mark. */
const odd = "机架十二号的主机👩‍🔬\u001b[2J\u202e-a-very-long-name";
const devices = devicesOf(
  recordOf("GPU-1", { ...full, ...held }),
  recordOf("GPU-2", { gpu_id: "1" }),
  recordOf("MIG-1", { gpu_id: "1", parent_uuid: "GPU-2", mig_instance_id: "3", mig_profile: "1g.10gb", age: 90 }),
  recordOf("GPU-3", { hostname: odd, model_name: "осо", pod: odd, namespace: odd, gpu_utilization: 0 }),
);

test("a screen has exactly its height and its width, and no character that controls the terminal", () => {
  for (const width of [1, 5, 11, 40, 80, 81, 120, 200]) {
    for (const height of [1, 2, 3, 6, 24, 60]) {
      const { lines } = screenOf(sceneOf(devices, { filter: "" }), { width, height });
      expect([width, height, lines.length]).toEqual([width, height, height]);
      const texts = lines.map(({ text }) => text);
      expect([width, height, [...new Set(texts.map((text) => Bun.stringWidth(text)))]]).toEqual([
        width,
        height,
        [width],
      ]);
      expect(texts.join("")).not.toMatch(/\p{Cc}|\u202e/u);
      expect(texts.filter((text) => visibleLines(text) !== text)).toEqual([]);
    }
  }
});

test("an absent value is -, and 0 is 0", () => {
  const texts = screenOf(sceneOf(devices), { width: 200, height: 24 }).lines.map(({ text }) => text);
  const line = (pattern: RegExp): string => texts.find((text) => pattern.test(text)) ?? "";
  expect(line(/training/)).toMatch(
    /^host-a +0 +NVIDIA H100 +97% █{5}▉ +\S +50% +40\.0\/80\.0 +412W +61° training\/llm-0\/main +1s *$/,
  );
  expect(line(/^host-a +1 /)).toMatch(/^host-a +1 +NVIDIA H100 +- - +- +- +- +- - +1s *$/);
  expect(line(/机架/)).toMatch(/ 0% ·{6} .* - +- +- +- /);
});

test("a MIG instance is under its GPU, and a stale record is marked", () => {
  const { lines } = screenOf(sceneOf(devices), { width: 120, height: 24 });
  const gpu = lines.findIndex(({ text }) => /^host-a +1 /.test(text));
  expect(lines[gpu]?.role).toBe("row");
  expect(lines[gpu + 1]?.text).toMatch(/^host-a +└1:3 +1g\.10gb NVIDIA H… .* 90s! *$/);
  expect(lines[gpu + 1]?.role).toBe("stale");
});

test("a narrow terminal shows fewer columns", () => {
  const titles = (width: number) =>
    screenOf(sceneOf(devices), { width, height: 24 })
      .lines.find(({ role }) => role === "titles")
      ?.text.trim()
      .split(/ +/)
      .join(" ");
  expect(titles(40)).toBe("HOST GPU▲ UTIL MEM POWER");
  expect(titles(80)).toBe("HOST GPU▲ UTIL MEM POWER TEMP HELD BY AGE");
  expect(titles(200)).toBe("HOST GPU▲ MODEL UTIL TREND MEM GIB POWER TEMP HELD BY AGE");
});

test("the header adds up the devices that match, and says since when there is no gateway", () => {
  const header = (filter: string, awaySinceMs?: number) => {
    const scene = sceneOf(devices, { filter });
    const { lines } = screenOf({ ...scene, feed: { ...scene.feed, awaySinceMs } }, { width: 300, height: 24 });
    return lines[0]?.text.trim();
  };
  expect(header("")).toBe(
    "4 devices  2 hosts  1 busy (5 % or more)  1 stale  power 412 W  temperature mean 61° max 61°  newest record 1s old  live",
  );
  expect(header("gpu-2", nowMs)).toBe(
    "1 device  1 host  0 busy (5 % or more)  power -  temperature mean - max -  newest record 1s old  stale since 20:42:34 UTC: no gateway; reconnecting",
  );
  expect(header("nothing")).toStartWith("0 devices  0 hosts  0 busy (5 % or more)  power -  ");
});

test("plain lines have all devices, whole names, and no drawings", () => {
  const lines = plainLines(sceneOf(devices));
  expect(lines).toHaveLength(2 + devices.length);
  expect(lines.join("\n")).toContain("-a-very-long-name");
  expect(lines.join("\n")).not.toMatch(/[█·▁…]|\p{Cc}(?<!\n)/u);
});

test("a snapshot has raw numbers, and null for what is absent", () => {
  const { summary, rows } = snapshotOf(sceneOf(devices));
  expect(summary).toMatchObject({ devices: 4, hosts: 2, busy: 1, stale: 1, power_draw: 412.4, temperature_mean: 61 });
  expect(rows[0]).toMatchObject({ uuid: "GPU-1", gpu_utilization: 97, memory_total_mb: 81_920, is_stale: false });
  expect(rows[1]).toMatchObject({
    uuid: "GPU-2",
    gpu_utilization: null,
    memory_total_mb: null,
    power_draw: null,
    workload: null,
  });
  expect(rows[2]).toMatchObject({ uuid: "MIG-1", parent_uuid: "GPU-2", mig_instance_id: "3", is_stale: true });
});

test("bars, sparklines, cut texts, power and spans", () => {
  expect([bar(0, 4), bar(50, 4), bar(53, 4), bar(100, 4), bar(undefined, 4)]).toEqual([
    "····",
    "██··",
    "██▏·",
    "████",
    "-   ",
  ]);
  expect(sparkline([0, 50, 100, 140])).toBe("▁▅██");
  expect([fit("abcdef", 4), fit("主机十二", 4), fit("ab", 4, "right"), fit("abc", 0)]).toEqual([
    "abc…",
    "主… ",
    "  ab",
    "",
  ]);
  expect([power(812), power(12_345), power(12_345_678)]).toEqual(["812 W", "12.3 kW", "12.35 MW"]);
  expect([span(-5), span(119_000), span(120_000), span(7_200_000), span(864_000_000)]).toEqual([
    "0s",
    "119s",
    "2m",
    "2h",
    "10d",
  ]);
});
