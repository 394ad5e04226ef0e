import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import {
  figureKeys,
  figureText,
  timeSplitOf,
  usageNameOf,
  type UsageRow,
} from "../../src/dashboard/model/usage-figures.ts";
import { gpuPricesOf } from "../../src/domain/usage/prices.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { SqlTelemetryQueries } from "../../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { type FleetRecord, gatewayOver, gpuOf, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { seriousFaults } from "./axe.ts";
import { looks, openPage, overflowPx } from "./open-page.ts";

// The page of namespaces in a real browser. Two hours of four GPUs: a pod that ends after one, an idle notebook of the same team, a pod of
// a team whose name begins in the same way, and a job of a batch system.

const beginMs = Date.UTC(2025, 6, 18, 14);
const minuteMs = 60_000;
const window = "from=2025-07-18T14:00:00.000Z&to=2025-07-18T17:00:00.000Z";
const apiWindow = "start_time=2025-07-18T14:00:00Z&end_time=2025-07-18T16:59:59Z";
let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let url: string;

function recordsAt(minute: number): FleetRecord[] {
  const timeMs = beginMs + minute * minuteMs;
  const held = (namespace: string, pod: string) => ({ workload: { namespace, pod, container: "main" } });
  const job = gpuOf("alpha", "host-b", 0, { properties: { hpc_job: "4711", userid: "ada" } });
  const power = (utilization: number) => ({ gpu_utilization: utilization, power_draw: 60 + 5 * utilization });
  return [
    {
      ...{ gpu: gpuOf("alpha", "host-a", 0), timeMs, ...(minute < 60 ? held("team", "train-0") : {}) },
      values: { ...power(minute < 30 ? 80 : 0), tensor_active: minute < 15 ? 0.5 : 0 },
    },
    {
      gpu: gpuOf("alpha", "host-a", 1),
      timeMs,
      values: { ...power(0), tensor_active: 0 },
      ...held("team", "notebook"),
    },
    { gpu: gpuOf("alpha", "host-a", 2), timeMs, values: power(90), ...held("team-x", "train-0") },
    { gpu: job, timeMs, values: power(50) },
  ];
}

beforeAll(async () => {
  const records = Array.from({ length: 121 }, (_, minute) => recordsAt(minute)).flat();
  [chromium, stored] = await Promise.all([openChromium(), openFleetStore(records)]);
  const leader = await FaultLeader.of(new SqlFaultStore(stored.client));
  const idle = { uuid: "GPU-host-a-1", name: "held.idle", severity: "info" as const };
  await leader.tell(faultChange(idle, "firing", systemClock.nowMs() - 90 * minuteMs));
  const prices = { gpuHour: gpuPricesOf("*=2"), kilowattHour: 0.5, currency: "EUR" };
  const settings = { activePercent: 5, effectivePercent: 5, prices };
  gateway = gatewayOver(stored, { queries: new SqlTelemetryQueries(stored.client, undefined, settings) });
  await gateway.get("/health/live");
  const [port = 0] = await freePorts(1);
  gateway.app.listen({ hostname: "127.0.0.1", port });
  url = `http://localhost:${port}`;
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await gateway.app.stop(true);
  await stored.close();
});

const opened = (query: string, options: BrowserContextOptions = {}) =>
  openPage(chromium, `${url}/namespaces?${window}${query}`, options);
const usageOf = async (query: string): Promise<UsageRow[]> =>
  ((await gateway.json(`/api/v1/usage?${apiWindow}&${query}`)) as unknown as { data: UsageRow[] }).data;

/** The cells of a part's rows. */
const rowsOf = (page: Page, part: string): Promise<string[][]> =>
  page.evaluate<string[][]>(
    `[...document.querySelectorAll("[data-part=${part}] tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent))`,
  );
/** The names of the rows of usage, once there are so many. */
const names = (page: Page, count: number): Promise<string[]> =>
  until(async () => {
    const found = (await rowsOf(page, "usage")).map(([name = ""]) => name);
    return found.length === count ? found : undefined;
  });
const search = (page: Page): string => new URL(page.url()).searchParams.toString();

test("every figure is the API's, the sums add up, and those who hold idle GPUs now and ended are named", async () => {
  const { page, errors, origins, close } = await opened("");
  await names(page, 3);
  const told = await usageOf("group_by=namespace");
  const cellsOf = (row: UsageRow): string[] => figureKeys.map((key) => figureText(row, key));
  const shown = (await rowsOf(page, "usage")).map(([name, , ...cells]) => [name, ...cells.slice(0, -1)]);
  const expected = told.map((row) => [usageNameOf(row, "namespace") || "no namespace", ...cellsOf(row)]);
  expect(shown.toSorted()).toEqual(expected.toSorted());
  const team = shown.find(([name]) => name === "team") ?? [];
  expect(team.slice(1, 8)).toEqual(["2", "3 h", "0.5 h", "0.25 h (tensor)", "2.5 h", "0.15 kWh", "5.08 EUR"]);
  const { allocated, unallocated, unknown, all } = timeSplitOf(told);
  const split = `${allocated} h allocated + ${unallocated} h unallocated + ${unknown} h unknown = ${all} h of all GPUs`;
  await until(async () => (await page.locator("[data-split]").textContent())?.includes(split));
  expect([allocated, unallocated, all]).toEqual([7, 1, 8]);
  const [idle = []] = await rowsOf(page, "idle");
  expect(idle).toEqual(["team/notebook", "1", "1", "60 W", "1 h", "host-a GPU 1"]);
  expect(await page.locator("[data-part=idle] p").first().textContent()).toBe(
    "1 of 2 held GPUs are used less than 5 %.",
  );
  const ended = await until(async () => {
    const rows = await rowsOf(page, "ended");
    return rows.length === 4 ? rows : undefined;
  });
  expect(ended.map(([name, user]) => `${name} ${user}`.trim()).toSorted()).toEqual([
    ...["job 4711 ada", "team-x/train-0", "team/notebook", "team/train-0"],
  ]);
  expect(ended.find(([name]) => name === "team/train-0")?.slice(4, 9)).toEqual([
    "1",
    "1 h",
    "0.5 h",
    "0.25 h (tensor)",
    "0.5 h",
  ]);
  expect([errors, [...origins]]).toEqual([[], [url]]);
  await close();
}, 60_000);

test("a namespace leads to its pods and to its GPUs alone; the URL has the order, the group and the holder", async () => {
  const { page, errors, close } = await opened("");
  expect((await names(page, 3))[0]).toBe("team");
  await page.getByRole("button", { name: "Allocated" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  expect(await page.locator("th.allocated").getAttribute("aria-sort")).toBe("ascending");
  expect(search(page)).toEndWith("&sort=allocated");
  await page.getByRole("link", { name: "team", exact: true }).click();
  await page.getByRole("heading", { name: "What namespace team holds" }).waitFor();
  expect(await names(page, 2)).toEqual(["team/train-0", "team/notebook"]);
  expect(search(page)).toStartWith("by=pod&namespace=team&from=");
  expect(await page.locator("[data-split]").count()).toBe(0);
  await until(async () => (await rowsOf(page, "ended")).length === 2);
  await page.getByLabel("Users").check();
  expect(await names(page, 1)).toEqual(["no user"]);
  await page.goBack();
  expect(await names(page, 2)).toEqual(["team/train-0", "team/notebook"]);
  await page.getByRole("link", { name: "Its GPUs in the fleet" }).click();
  await page.locator("tr[data-uuid]").first().waitFor();
  const uuids = `[...document.querySelectorAll("tr[data-uuid]")].map((row) => row.dataset.uuid)`;
  expect(await page.evaluate<string[]>(uuids)).toEqual(["GPU-host-a-1"]);
  const colleague = await opened("&by=user&sort=name");
  expect(await names(colleague.page, 2)).toEqual(["ada", "no user"]);
  await colleague.close();
  expect(errors).toEqual([]);
  await close();
}, 60_000);

test("a time without a holder says what to do, and so does an error", async () => {
  const { page, close } = await openPage(
    chromium,
    `${url}/namespaces?from=2025-07-01T00:00:00Z&to=2025-07-01T01:00:00Z`,
  );
  await page.getByRole("heading", { name: "No one held a GPU in this time" }).waitFor();
  expect(await seriousFaults(page)).toEqual([]);
  await page.route("**/api/v1/usage?*", (route) =>
    route.fulfill({ status: 503, json: { success: false, error: { message: "The store does not answer" } } }),
  );
  await page.getByLabel("7 d").check();
  await page.locator("[role=alert]").waitFor();
  expect(await page.locator("[role=alert]").textContent()).toStartWith(
    "The usage cannot be read: The store does not answer. The page tries again by itself",
  );
  await close();
}, 60_000);

describe("axe finds no serious fault", () => {
  test.each(looks)(
    "%s",
    async (_, options) => {
      const { page, close } = await opened("", options);
      await names(page, 3);
      await until(async () => (await rowsOf(page, "ended")).length === 4);
      expect(await seriousFaults(page)).toEqual([]);
      expect(await overflowPx(page)).toBe(0);
      await close();
    },
    60_000,
  );
});
