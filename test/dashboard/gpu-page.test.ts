import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { quantityText } from "../../src/dashboard/model/format.ts";
import { seriousFaults } from "./axe.ts";
import { looks, openPage, overflowPx } from "./open-page.ts";
import { pixelsOf } from "./canvas-pixels.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

// The pages of a GPU and of a host in a real browser, of a real process with the simulated fleet.

interface ApiGpu {
  readonly uuid: string;
  readonly hostname: string;
  readonly id: string;
}
type ApiRecord = Readonly<Record<"temperature" | "gpu_utilization" | "power_draw", number>> & {
  readonly timestamp: string;
};

/** Longer than the 2.5 readings after which there is a gap. */
const outageMs = 5000;
let chromium: OpenChromium;
let pipeline: PipelineProcess;
let database: ProvidedDatabase;
let env: Record<string, string>;
let url: string;
let gpu: ApiGpu;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  database = await provideDatabase();
  env = { DATABASE_URL: database.url, PORT: String(port), SIM_HOSTS: "2", SIM_INTERVAL: "1s" };
  pipeline = startPipeline(env);
  [chromium, url] = await Promise.all([openChromium(), urlOf(pipeline)]);
  const found = await until(async () => (await api<ApiGpu[]>("/api/v1/gpus")).find(({ id }) => id === "3"));
  gpu = found;
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await stopPipeline(pipeline, "SIGKILL");
  await database.stop();
});

const api = async <Data>(path: string, method = "GET"): Promise<Data> =>
  ((await (await fetch(`${url}${path}`, { method })).json()) as { data: Data }).data;
const history = (query = ""): Promise<ApiRecord[]> =>
  api(`/api/v1/gpus/${gpu.uuid}/telemetry?limit=10000&metrics=temperature,gpu_utilization,power_draw${query}`);
const opened = (query: string, options = {}) => openPage(chromium, `${url}/gpu?uuid=${gpu.uuid}${query}`, options);
const caption = (page: Page, metric: string) => page.locator(`[data-metric=${metric}] figcaption`);

test("a chart has the API's values, follows the records, and is read by keyboard", async () => {
  const { page, errors, origins, close } = await opened("&range=15m&metrics=temperature,power_draw");
  const said = async (): Promise<string> => (await page.locator("#pointed").textContent()) ?? "";
  await page.getByRole("application").focus();
  /** The sentence for a record, without its time. */
  const sentence = ({ temperature, power_draw: power }: ApiRecord): string =>
    `GPU temperature ${quantityText(temperature, "celsius")}, Power draw ${quantityText(power, "watts")}`;
  const newest = async (): Promise<ApiRecord | undefined> => (await history()).at(-1);
  /** The newest record, once the page says its values. */
  const followed = (): Promise<ApiRecord> =>
    until(async () => {
      const before = await newest();
      await page.keyboard.press("End");
      return before !== undefined && (await said()).endsWith(sentence(before)) ? before : undefined;
    });
  const first = await followed();
  await until(async () => (await newest())?.timestamp !== first.timestamp);
  const second = await followed();
  expect(Date.parse(second.timestamp)).toBeGreaterThan(Date.parse(first.timestamp));
  const all = await history();
  await page.keyboard.press("Home");
  await until(async () => (await said()).endsWith(sentence(all[0] as ApiRecord)));
  await page.keyboard.press("ArrowRight");
  await until(async () => (await said()).endsWith(sentence(all[1] as ApiRecord)));
  const degrees = all.map(({ temperature }) => temperature);
  const text = (await caption(page, "temperature").textContent()) ?? "";
  expect(text).toContain(`lowest ${Math.min(...degrees)} °C`);
  await page.keyboard.press("Escape");
  await until(async () => (await said()) === "");
  const drawn = `[...document.querySelectorAll(".chart canvas")].map((each) => ${pixelsOf("each")}.some((value) => value > 0))`;
  expect(await page.evaluate<boolean[]>(drawn)).toEqual([true, true]);
  expect([errors, [...origins]]).toEqual([[], [url]]);
  await close();
}, 120_000);

test("the URL has the range, the window and the metrics; a marked stretch becomes the window", async () => {
  const { page, errors, close } = await opened("");
  await page.getByLabel("6 h").check();
  await page.getByText("Charts (4)").click();
  await page.getByLabel("Memory temperature").check();
  await page.getByLabel("GPU utilization").uncheck();
  const query = (): URLSearchParams => new URL(page.url()).searchParams;
  await until(() => query().get("metrics") === "memory_used_mb,power_draw,temperature,memory_temperature");
  expect(query().get("range")).toBe("6h");
  expect(await page.locator(".chart").last().getAttribute("data-metric")).toBe("memory_temperature");
  const plot = page.locator("[data-metric=power_draw] .u-over");
  await plot.scrollIntoViewIfNeeded();
  const { x, y, width } = (await plot.boundingBox()) ?? { x: 0, y: 0, width: 0 };
  await page.mouse.move(x + width / 2, y + 20);
  await page.mouse.down();
  await page.mouse.move(x + width - 1, y + 20, { steps: 3 });
  await page.mouse.up();
  await until(() => query().has("from"));
  const lengthMs = Date.parse(query().get("to") ?? "") - Date.parse(query().get("from") ?? "");
  expect(Math.round(lengthMs / 60_000)).toBe(180);
  expect(await page.getByText("a fixed window").count()).toBe(1);
  await page.goBack();
  await until(async () => page.getByLabel("6 h").isChecked());
  const long = await opened("&range=1d&metrics=temperature");
  await until(async () => (await long.page.locator(".source").textContent())?.startsWith("Averages by the minute"));
  expect(errors).toEqual([]);
  await close();
  await long.close();
}, 120_000);

test("a gap is a gap, and what was missed meanwhile is read when the gateway is back", async () => {
  const { page, close } = await opened("&range=15m&metrics=temperature");
  await until(async () => (await caption(page, "temperature").textContent())?.includes("newest"));
  expect(await caption(page, "temperature").textContent()).not.toContain("gap");
  const held = await api<{ workloads: { pod: string }[] }>(`/api/v1/gpus/${gpu.uuid}/changes`);
  const pods = held.workloads.map(({ pod }) => pod).filter((pod) => pod !== "");
  const lane = await page.locator("[data-lane=holders] li").allTextContents();
  expect(pods.filter((pod) => !lane.some((text) => text.includes(pod)))).toEqual([]);
  await stopPipeline(pipeline, "SIGKILL");
  await page.locator(".status[data-status=away]").waitFor();
  expect(await caption(page, "temperature").count()).toBe(1);
  await Bun.sleep(outageMs);
  pipeline = startPipeline(env);
  await urlOf(pipeline);
  await page.locator(".status[data-status=live]").waitFor({ timeout: 30_000 });
  await until(async () => (await caption(page, "temperature").textContent())?.endsWith(", 1 gap"));
  await close();
}, 120_000);

test("maintenance is shown with its reason, and coverage as the API has it", async () => {
  const { page, close } = await opened("");
  const tile = (id: string) => page.locator(`[data-tile=${id}]`);
  await until(async () => (await tile("state").textContent())?.includes("reporting"));
  await api(`/api/v1/inventory/maintenance?gpu_uuid=${gpu.uuid}&note=new%20fans`, "POST");
  await until(async () => (await tile("state").textContent())?.includes("reason: new fans"));
  expect(await tile("state").textContent()).toContain("under maintenance");
  await api(`/api/v1/inventory/restore?gpu_uuid=${gpu.uuid}`, "POST");
  expect(await tile("coverage").textContent()).toMatch(/\d+(\.\d+)? %.* of \d+ readings/);
  await close();
}, 120_000);

test("the fleet leads to the host, and the host to its GPUs", async () => {
  const { page, errors, close } = await openPage(chromium, `${url}/`);
  await page.getByRole("link", { name: gpu.hostname }).first().click();
  await page.waitForURL(`${url}/host?hostname=${gpu.hostname}`);
  await page.locator("tbody tr[data-uuid]").nth(7).waitFor();
  await page.locator(".small-chart").nth(7).waitFor();
  expect(await page.locator("tbody tr[data-uuid]").count()).toBe(8);
  expect(await page.locator("[data-tile=devices] strong").textContent()).toBe("8");
  expect(await seriousFaults(page)).toEqual([]);
  await page.locator(`tr[data-uuid="${gpu.uuid}"]`).getByRole("link", { name: "GPU 3" }).click();
  await page.waitForURL(`${url}/gpu?uuid=${gpu.uuid}`);
  await page.getByRole("heading", { name: `${gpu.hostname} · GPU 3` }).waitFor();
  await page.goto(`${url}/gpu?uuid=GPU-none`);
  await page.getByRole("heading", { name: "There is no GPU GPU-none" }).waitFor();
  expect(errors).toEqual([]);
  await close();
}, 120_000);

describe("axe finds no serious fault", () => {
  test.each(looks)(
    "%s",
    async (_, options) => {
      const { page, close } = await opened("&range=15m", options);
      await page.locator(".chart").nth(3).waitFor();
      await page.getByText("Charts (4)").click();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await overflowPx(page)).toBe(0);
      await close();
    },
    60_000,
  );
});
