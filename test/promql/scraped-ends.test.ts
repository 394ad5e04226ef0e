import { expect, test } from "bun:test";
import { compareScraped } from "./scraped-counts.ts";

test("what is gone from a scrape counts no more in PromQL, as in a Prometheus that scrapes the same exporters", async () => {
  const { differing, instants, steps } = await compareScraped({ holdMs: 0 });
  expect(differing).toEqual([]);
  expect(steps.length).toBe(13);
  expect(instants).toBeGreaterThanOrEqual(steps.length);
}, 900_000);
