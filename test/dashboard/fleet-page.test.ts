import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { until } from "../../dev/until.ts";
import { holderText } from "../../src/dashboard/model/device.ts";
import { memoryText, metricText } from "../../src/dashboard/model/format.ts";
import { makeDataDir } from "../../dev/empty-store.ts";
import { seriousFaults } from "./axe.ts";
import { looks, openPage, overflowPx } from "./open-page.ts";
import { pixelsOf } from "./canvas-pixels.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

// The page in a real browser, of a real process with the simulated fleet.

const dir = await mkdtemp(join(tmpdir(), "telemetry-dashboard-"));
const started: PipelineProcess[] = [];
let chromium: OpenChromium;
let url: string;

/** SIM_HOSTS hosts with 8 each. */
const simulatedGpus = 16;
let database: ProvidedDatabase;

function start(more: Record<string, string>): PipelineProcess {
  const process = startPipeline({ SIM_HOSTS: "2", SIM_INTERVAL: "2s", ...more });
  started.push(process);
  return process;
}

beforeAll(async () => {
  database = await provideDatabase();
  const pipeline = start({ DATABASE_URL: database.url });
  [chromium, url] = await Promise.all([openChromium(), urlOf(pipeline)]);
  await until(async () => (await latest()).length === simulatedGpus);
}, 600_000);
afterAll(async () => {
  await chromium.close();
  for (const process of started) await stopPipeline(process, "SIGKILL");
  await database.stop();
  await rm(dir, { recursive: true, force: true });
});

const opened = (query = "", options: BrowserContextOptions = {}) => openPage(chromium, `${url}/${query}`, options);

type ApiRecord = Readonly<Record<string, number>> & { readonly uuid: string; readonly timestamp: string };
interface Workload {
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
}

async function latest(): Promise<readonly ApiRecord[]> {
  const answer = await fetch(`${url}/api/v1/telemetry/latest?limit=10000`);
  return ((await answer.json()) as { data: ApiRecord[] }).data;
}

/** Waits until the table has every device. */
const whole = (page: Page): Promise<true> =>
  until(async () => Object.keys(await rowsOf(page)).length === simulatedGpus);

/** The texts of the table's cells, by the device's uuid. */
async function rowsOf(page: Page): Promise<Record<string, string[]>> {
  return page.evaluate<Record<string, string[]>>(
    `Object.fromEntries([...document.querySelectorAll("tbody tr[data-uuid]")].map((row) => [row.dataset.uuid, [...row.cells].map((cell) => cell.textContent)]))`,
  );
}

const column = async (page: Page, index: number): Promise<string[]> =>
  Object.values(await rowsOf(page)).map((cells) => cells[index] ?? "");

/** What the table says of a record, without its age. */
function cellsOf(record: ApiRecord): string[] {
  const value = (name: string): number => record[name] ?? NaN;
  const { namespace = "", pod = "", container = "" } = record as unknown as Workload;
  const texts = record as unknown as Readonly<Record<string, string>>;
  return [
    texts["hostname"] ?? "",
    texts["gpu_id"] ?? "",
    texts["model_name"] ?? "",
    metricText("gpu_utilization", value("gpu_utilization")),
    memoryText(value("memory_used_mb"), value("memory_free_mb")),
    metricText("power_draw", value("power_draw")),
    metricText("temperature", value("temperature")),
    pod === "" ? "" : holderText([{ namespace, pod, container }]),
  ];
}

test("every value of the table is the API's, follows the records as they arrive, and none comes from elsewhere", async () => {
  const { page, errors, origins, close } = await opened();
  const first = await latest();
  /** Compares while the fleet does not change. */
  const equal = async (): Promise<Record<string, string[]> | undefined> => {
    const before = await latest();
    const rows = await rowsOf(page);
    if (JSON.stringify(before) !== JSON.stringify(await latest())) return undefined;
    const shown = Object.fromEntries(Object.entries(rows).map(([uuid, cells]) => [uuid, cells.slice(0, -1)]));
    const told = Object.fromEntries(before.map((record) => [record.uuid, cellsOf(record)]));
    return Bun.deepEquals(shown, told) ? shown : undefined;
  };
  const shown = await until(equal);
  expect(Object.keys(shown).length).toBe(simulatedGpus);
  // with other records than those that the page has read at first
  await until(async () => (await latest()).every(({ timestamp }, index) => timestamp !== first[index]?.timestamp));
  await until(equal);
  expect(await page.locator("[data-tile=devices] strong").textContent()).toBe(String(first.length));
  const coloured = `${pixelsOf('document.querySelector("canvas.values")')}.filter((each, at) => at % 4 === 3 && each === 255).length`;
  expect(await page.evaluate(coloured)).toBe(first.length);
  expect([errors, [...origins]]).toEqual([[], [url]]);
  await close();
}, 120_000);

test("the URL has the metric, the search and the order; another browser shows the same, and the back button goes back", async () => {
  const { page, errors, close } = await opened();
  await whole(page);
  await page.getByLabel("Temperature", { exact: true }).check();
  await page.getByRole("searchbox").pressSequentially("host:sim-dgx-002 -no-such-pod", { delay: 5 });
  await until(() => page.url().endsWith("pod"));
  await page.getByRole("button", { name: "Temperature" }).click();
  expect(new URL(page.url()).search).toBe(
    "?metric=temperature&search=host%3Asim-dgx-002+-no-such-pod&sort=-temperature",
  );
  const looksSo = (shown: Page): Promise<true> =>
    until(async () => {
      const hosts = new Set(await column(shown, 0));
      const degrees = (await column(shown, 6)).map((text) => Number.parseFloat(text));
      const isSorted = degrees.every((each, index) => index === 0 || each <= (degrees[index - 1] ?? NaN));
      return hosts.size === 1 && hosts.has("sim-dgx-002") && isSorted;
    });
  await looksSo(page);
  expect(await page.locator("th.temperature").getAttribute("aria-sort")).toBe("descending");
  expect(await page.locator(".legend").textContent()).toStartWith("Temperature 20 °C");
  const colleague = await opened(new URL(page.url()).search);
  await looksSo(colleague.page);
  expect(await colleague.page.getByLabel("Temperature", { exact: true }).isChecked()).toBe(true);
  await colleague.close();
  await page.goBack();
  expect(await page.locator("th.host").getAttribute("aria-sort")).toBe("ascending");
  // the letters of one search are one step
  await page.goBack();
  await whole(page);
  expect([await page.getByRole("searchbox").inputValue(), new URL(page.url()).search]).toEqual([
    "",
    "?metric=temperature",
  ]);
  await page.goForward();
  await page.goForward();
  await looksSo(page);
  await page.getByRole("searchbox").fill("hots:a");
  await until(async () => (await page.locator(".search .problem").textContent())?.includes("no field hots:") === true);
  await page.getByRole("searchbox").fill("no-such-device");
  await page.getByRole("button", { name: "Show all devices" }).click();
  await whole(page);
  expect(errors).toEqual([]);
  await close();
}, 120_000);

test("a simulated fleet has a short tour, until it is closed", async () => {
  const { page, close } = await opened();
  const tour = page.getByRole("region", { name: "This fleet is simulated" });
  expect(await tour.locator("pre").textContent()).toBe("DCGM_TARGETS=gpu-01:9400,gpu-02:9400 bun run dev");
  await tour.getByRole("button", { name: "Close" }).click();
  const asked = page.waitForResponse(/api\/v1\/targets/);
  await page.reload();
  await Promise.all([asked, whole(page)]);
  expect(await tour.count()).toBe(0);
  await close();
}, 60_000);

test("the heat map is used by keyboard and pointer: both select a device, and lead to its row", async () => {
  // on a phone one host is below the other
  const { page, errors, close } = await opened("", { viewport: { width: 360, height: 740 } });
  const map = page.getByRole("application");
  await map.focus();
  const said = () => page.locator("#selected-device").textContent();
  expect(await said()).toStartWith("sim-dgx-001, GPU 0, ");
  await page.keyboard.press("ArrowRight");
  await until(async () => (await said())?.startsWith("sim-dgx-001, GPU 1, ") === true);
  await page.keyboard.press("ArrowDown");
  await until(async () => (await said())?.startsWith("sim-dgx-002, GPU 1, ") === true);
  expect(await page.locator(".tip").textContent()).toContain("sim-dgx-002 · GPU 1");
  await page.keyboard.press("Enter");
  const chosen = page.locator("tr[aria-current=true]");
  expect((await chosen.locator("th, td").allTextContents()).slice(0, 2)).toEqual(["sim-dgx-002", "1"]);
  const cellPx = Number((await map.boundingBox())?.height ?? 0) / 2;
  await map.hover({ position: { x: cellPx * 2.5, y: cellPx * 0.5 } });
  expect(await page.locator(".tip").textContent()).toContain("sim-dgx-001 · GPU 2");
  await map.click({ position: { x: cellPx * 2.5, y: cellPx * 0.5 } });
  expect((await chosen.locator("th, td").allTextContents()).slice(0, 2)).toEqual(["sim-dgx-001", "2"]);
  expect(errors).toEqual([]);
  await close();
}, 60_000);

describe("axe finds no serious fault", () => {
  test.each(looks)(
    "%s",
    async (_, options) => {
      const { page, close } = await opened("?search=host:sim-dgx-001", options);
      await page.getByRole("application").focus();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await overflowPx(page)).toBe(0);
      await close();
    },
    60_000,
  );

  test("in what it says about a wrong search, and a chosen theme lasts", async () => {
    const { page, close } = await opened("?search=(", { colorScheme: "light" });
    await page.getByLabel("Theme").selectOption("dark");
    expect(await seriousFaults(page)).toEqual([]);
    await page.reload();
    await page.locator(".status[data-status=live]").waitFor();
    expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe("dark");
    await close();
  }, 60_000);
});

test("where access is controlled, a key opens the page and its WebSocket", async () => {
  await makeDataDir(join(dir, "closed"));
  const key = `gtp_first_${"0".repeat(64)}`;
  const closed = start({ DATA_DIR: join(dir, "closed"), AUTH_BOOTSTRAP_KEY: key });
  const openUrl = url;
  url = await urlOf(closed);
  const { status } = await fetch(url, { headers: { accept: "text/html" } });
  expect(status).toBe(401);
  const { page, close } = await opened("", { httpCredentials: { username: "me", password: key } });
  await whole(page);
  const [age = ""] = await column(page, 8);
  await until(async () => (await column(page, 8))[0] !== age);
  await close();
  url = openUrl;
}, 120_000);

test("a pipeline without devices says how to point it at exporters", async () => {
  await makeDataDir(join(dir, "empty"));
  const empty = start({ DATA_DIR: join(dir, "empty"), ROLE: "gateway" });
  const openUrl = url;
  url = await urlOf(empty);
  const { page, errors, close } = await opened();
  expect(await page.locator(".notice").textContent()).toContain("DCGM_TARGETS=gpu-01:9400,gpu-02:9400 bun run dev");
  expect(await seriousFaults(page)).toEqual([]);
  expect(errors).toEqual([]);
  await close();
  url = openUrl;
}, 120_000);
