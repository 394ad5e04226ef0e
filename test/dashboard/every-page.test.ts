import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { memoryText, metricText } from "../../src/dashboard/model/format.ts";
import { dashboardPages, gpuPath, hostPath, type PageName } from "../../src/dashboard/pages.ts";
import { type OpenPage, openPage } from "./open-page.ts";
import { pixelsOf } from "./canvas-pixels.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

// All pages in a real browser, of a real process that simulates faults and MIG instances, and evaluates the rules.

let database: ProvidedDatabase;
const dir = await mkdtemp(join(tmpdir(), "telemetry-every-page-"));
const failed = "memory.row-remap.failed";
const pending = "memory.row-remap.pending";
let chromium: OpenChromium;
let pipeline: PipelineProcess;
let env: Record<string, string>;
let url: string;
/** A GPU that has MIG instances. */
let parent: { readonly uuid: string; readonly hostname: string };
let paths: Readonly<Record<PageName, string>>;

interface ApiGpu {
  readonly uuid: string;
  readonly hostname: string;
  readonly parent_uuid?: string;
  readonly mig_instance_id?: string;
  readonly mig_profile?: string;
}
type ApiRecord = Readonly<Record<"gpu_utilization" | "memory_used_mb" | "memory_free_mb", number>> & {
  readonly uuid: string;
};
type ApiFault = Readonly<Record<"id" | "name" | "state" | "comment" | "uuid", string>>;

const api = async <Data>(path: string): Promise<Data> =>
  ((await (await fetch(`${url}${path}`)).json()) as { data: Data }).data;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  database = await provideDatabase();
  await Bun.write(join(dir, "rules.yaml"), `${pending}:\n  resolve_for_seconds: 1\n`);
  env = {
    ...{ DATABASE_URL: database.url, PORT: String(port), SIM_HOSTS: "2", SIM_MIG: "0.5", SIM_INTERVAL: "1s" },
    ...{ SIM_FAULTS: `${failed}@5s,${pending}@8s-20s`, FAULT_RULES_FILE: join(dir, "rules.yaml") },
  };
  pipeline = startPipeline(env);
  [chromium, url] = await Promise.all([openChromium(), urlOf(pipeline)]);
  const instance = await until(async () =>
    (await api<ApiGpu[]>("/api/v1/gpus")).find(({ parent_uuid: uuid }) => uuid !== undefined),
  );
  parent = { uuid: instance.parent_uuid ?? "", hostname: instance.hostname };
  const { fleet, faults, namespaces, pipeline: ofPipeline } = dashboardPages;
  const withoutState = {
    fleet: fleet.path,
    faults: faults.path,
    namespaces: namespaces.path,
    pipeline: ofPipeline.path,
  };
  paths = { ...withoutState, host: hostPath(parent.hostname), gpu: gpuPath(parent.uuid) };
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await stopPipeline(pipeline, "SIGKILL");
  await database.stop();
  await rm(dir, { recursive: true, force: true });
});

const opened = (path: string): Promise<OpenPage> => openPage(chromium, `${url}${path}`);
const faultNamed = async (name: string): Promise<ApiFault | undefined> =>
  (await api<ApiFault[]>("/api/v1/faults?state=firing,acknowledged,resolved")).find((fault) => fault.name === name);

const card = (page: Page, name: string) => page.locator(".fault", { hasText: `${name};` });
/** Stays open from the first fault to its end. */
let faultsPage: OpenPage;

test("faults that the rules find appear by themselves, and are acknowledged and silenced by keyboard", async () => {
  faultsPage = await opened("/faults");
  const { page } = faultsPage;
  const press = async (name: string, button: string): Promise<void> => {
    await card(page, name).getByRole("button", { name: button }).focus();
    await page.keyboard.press("Enter");
  };
  await card(page, failed).waitFor();
  await press(failed, "Acknowledge");
  await page.keyboard.type("drained");
  await page.keyboard.press("Enter");
  await until(async () => (await card(page, failed).textContent())?.includes(": drained"));
  expect(await faultNamed(failed)).toMatchObject({ state: "acknowledged", comment: "drained" });
  expect(await page.locator(".said").textContent()).toBe("The fault is acknowledged.");
  expect(await card(page, failed).textContent()).toContain("The value of row_remap_failure is 1; above 0 is bad.");
  await card(page, pending).waitFor();
  await press(pending, "Silence");
  await page.keyboard.type("reset tonight");
  await page.keyboard.press("Enter");
  await until(async () => (await card(page, pending).textContent())?.includes(", silenced"));
}, 60_000);

/** The rows of the MIG instances, by number. */
const instanceRows = (page: Page): Promise<Record<string, string[]>> =>
  page.evaluate<Record<string, string[]>>(
    `Object.fromEntries([...document.querySelectorAll("section[aria-labelledby=instances] tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)).map(([id, ...cells]) => [id, cells]))`,
  );

test("a GPU's page has its MIG instances with the API's values, and its host and the fleet count each once", async () => {
  const { page, errors, close } = await opened(paths.gpu);
  // asked for anew each time: instances come and leave meanwhile
  const gpus = (): Promise<ApiGpu[]> => api<ApiGpu[]>("/api/v1/gpus");
  const ofHost = async (): Promise<number> =>
    (await gpus()).filter(({ hostname }) => hostname === parent.hostname).length;
  const instancesOf = async (): Promise<ApiGpu[]> =>
    (await gpus()).filter(({ parent_uuid: uuid }) => uuid === parent.uuid);
  const told = async (): Promise<Record<string, string[]>> => {
    const instances = await instancesOf();
    const records = await api<ApiRecord[]>(`/api/v1/telemetry/latest?parent_uuid=${parent.uuid}`);
    const rows = instances.map(({ uuid, mig_instance_id: id = "", mig_profile: profile = "" }) => {
      const { gpu_utilization: used = NaN, ...record } =
        records.find((each) => each.uuid === uuid) ?? ({} as ApiRecord);
      const memory = memoryText(record.memory_used_mb, record.memory_free_mb);
      return [id, [profile, metricText("gpu_utilization", used), memory]] as [string, string[]];
    });
    return Object.fromEntries(rows);
  };
  /** Compares while the instances do not change. */
  await until(async () => {
    const before = await told();
    const shown = Object.entries(await instanceRows(page)).map(([id, cells]) => [id, cells.slice(0, 3)] as const);
    return Bun.deepEquals(before, await told()) && Bun.deepEquals(Object.fromEntries(shown), before);
  });
  const [first] = await instancesOf();
  await page.getByRole("link", { name: first?.mig_instance_id ?? "", exact: true }).click();
  await page.getByRole("heading", { name: `MIG instance ${first?.mig_instance_id} on GPU` }).waitFor();
  await page.goto(`${url}${paths.host}`);
  await until(async () => (await page.locator("tbody tr[data-uuid]").count()) === (await ofHost()));
  await until(async () => (await page.locator(".small-chart").count()) === (await ofHost()));
  await page.goto(url);
  await until(
    async () => (await page.locator("[data-tile=devices] strong").textContent()) === String((await gpus()).length),
  );
  const cells = `${pixelsOf('document.querySelector("canvas.values")')}.filter((each, at) => at % 4 === 3 && each === 255).length`;
  await until(async () => (await page.evaluate<number>(cells)) === (await gpus()).length);
  expect(errors).toEqual([]);
  await close();
}, 120_000);

/** Marks the controls that a keyboard ought to reach. Of a group of choices, the chosen one; arrow keys lead to the others. */
const markControls = `(() => {
  const isSeen = (each) => each.checkVisibility() && !each.disabled && each.tabIndex >= 0 && !(each.type === "radio" && !each.checked);
  const controls = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")].filter(isSeen);
  controls.forEach((each, index) => (each.dataset.control = String(index)));
  return controls.length;
})()`;
/** The marked control that has the focus, what it shows, and whether its focus is seen. */
const focused = `(() => {
  const { activeElement: at } = document;
  const shown = at.closest("label") ?? at;
  return [at.dataset.control, at.innerHTML, [at, shown].some((each) => getComputedStyle(each).outlineStyle !== "none")];
})()`;
/** What the marked controls that are still on the page show, by their marks. */
const marked = `Object.fromEntries([...document.querySelectorAll("[data-control]")].map((each) => [each.dataset.control, each.innerHTML]))`;
/** A field of a date has a stop for each of its parts. */
const mostStops = 12;
/** Devices come and leave while a page is judged; so often it is judged again. */
const mostRounds = 5;

/** Goes through a page by Tab.
 *  @returns the controls that are not reached, and those that do not show their focus; undefined if one has left before it was reached */
async function walk(page: Page): Promise<{ readonly missing: string[]; readonly unseen: string[] } | undefined> {
  await until(async () => (await page.locator("main .notice", { hasText: "Reading" }).count()) === 0);
  const count = await page.evaluate<number>(markControls);
  expect(count).toBeGreaterThan(5);
  const unreached = new Set(Array.from({ length: count }, (_, index) => String(index)));
  /** By control: of several stops of a field, one that is seen suffices. */
  const reached = new Map<string, { readonly text: string; readonly isSeen: boolean }>();
  for (let stops = 0; unreached.size > 0 && stops < count + 4 * mostStops; stops++) {
    await page.keyboard.press("Tab");
    const [control, text, isSeen] = await page.evaluate<[string | undefined, string, boolean]>(focused);
    if (control === undefined) continue;
    unreached.delete(control);
    reached.set(control, { text, isSeen: isSeen || reached.get(control)?.isSeen === true });
  }
  const left = await page.evaluate<Record<string, string>>(marked);
  if (unreached.values().some((each) => left[each] === undefined)) return undefined;
  const unseen = [...reached.values()].flatMap(({ text, isSeen }) => (isSeen ? [] : text));
  return { missing: Array.from(unreached, (each) => left[each] ?? ""), unseen };
}

test.each(Object.keys(dashboardPages) as PageName[])(
  "every control of the page %s is reached by Tab, and shows that it has the focus",
  async (name) => {
    const { page, errors, close } = await opened(paths[name]);
    let walked = await walk(page);
    for (let round = 1; walked === undefined && round < mostRounds; round++) {
      await page.reload();
      await page.locator(".status[data-status=live]").waitFor();
      walked = await walk(page);
    }
    expect([walked, errors]).toEqual([{ missing: [], unseen: [] }, []]);
    await close();
  },
  60_000,
);

test("a fault that has ended leaves the page by itself, and is among the ended ones", async () => {
  const { page, errors, close } = faultsPage;
  await card(page, pending).waitFor({ state: "detached" });
  expect(await faultNamed(pending)).toMatchObject({ state: "resolved" });
  await page.getByLabel("Ended in the last day").check();
  await until(async () => (await card(page, pending).textContent())?.includes("resolved"));
  expect(errors).toEqual([]);
  await close();
}, 60_000);

test("while the gateway is away, every page shows the state of then and says so; all come back by themselves", async () => {
  const names = Object.keys(dashboardPages) as PageName[];
  const pages = await Promise.all(names.map((name) => opened(paths[name])));
  const tiles = ({ page }: OpenPage): Promise<number> => page.locator(".tile, .fault").count();
  await until(async () => (await Promise.all(pages.map(tiles))).every((count) => count > 0));
  const before = await Promise.all(pages.map(tiles));
  await stopPipeline(pipeline, "SIGKILL");
  for (const { page } of pages) await page.locator(".status[data-status=away]").waitFor();
  for (const { page } of pages) {
    expect(await page.locator(".status").textContent()).toMatch(
      /^no connection since \d\d:\d\d:\d\d, showing the state of then$/,
    );
  }
  expect(await Promise.all(pages.map(tiles))).toEqual(before);
  pipeline = startPipeline(env);
  await urlOf(pipeline);
  for (const { page } of pages) await page.locator(".status[data-status=live]").waitFor({ timeout: 30_000 });
  const [fleet, faults] = pages;
  await until(async () =>
    /newest [0-3] s ago/.test((await fleet?.page.locator("[data-tile=rate]").textContent()) ?? ""),
  );
  // the acknowledgement outlives the process that took it
  await until(async () => (await faults?.page.locator(".faults").textContent())?.includes(": drained"));
  await Promise.all(pages.map(({ close }) => close()));
}, 120_000);
