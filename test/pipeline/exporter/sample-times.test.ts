import { afterEach, expect, test } from "bun:test";
import { openRawTarget } from "./raw-target.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function openTarget(first: string) {
  const opened = await openRawTarget(first);
  closing.push(opened.close);
  return opened;
}

/** One busy GPU whose samples have this time of their own. */
const textAt = (timeMs: number | ""): string =>
  ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP"]
    .map((name) => `${name}{gpu="0",UUID="GPU-1",device="nvidia0",Hostname="node-7"} 65 ${timeMs}\n`)
    .join("");

test("a target whose samples carry a time of years ago says so, in its state and once in the log", async () => {
  const { next, source, lines } = await openTarget(textAt(1_700_000_000_000));
  await next();
  await next();
  const warning =
    "2 samples carry times such as 2023-11-14T22:13:20Z, 778 days before the scrape, and are stored there: the exporter's clock is wrong, or it repeats old values";
  expect(source.state()).toMatchObject({ state: "up", warning, message: expect.stringContaining(warning) as string });
  expect(source.answerWarning).toBe(warning);
  await next(textAt(""));
  expect(source.state().warning).toBeUndefined();
  expect(lines.filter((line) => /carry/.test(line))).toEqual([
    expect.stringContaining("778 days before the scrape"),
    expect.stringContaining("carry the present time again"),
  ]);
});

test("a time in the future is said, too; one that Prometheus's own delay explains is not", async () => {
  const { next, source } = await openTarget(textAt(Date.UTC(2026, 0, 1, 3)));
  await next();
  expect(source.state().warning).toContain("2026-01-01T03:00:00Z, 3 hours after the scrape");
  await next(textAt(Date.UTC(2026, 0, 1) - 300_000));
  expect(source.state().warning).toBeUndefined();
});

test("samples that carry the same old time again and again are frozen; those of a wrong clock, which advances, are not", async () => {
  const { next, source } = await openTarget(textAt(1_700_000_000_000));
  for (let scrape = 0; scrape < 5; scrape += 1) await next();
  expect(source.state().frozen).toBe(1);
  for (let scrape = 0; scrape < 5; scrape += 1) await next(textAt(1_700_000_000_000 + scrape * 15_000));
  expect(source.state().frozen).toBe(0);
});
