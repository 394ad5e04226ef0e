import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { openChromium } from "../dev/servers/chromium.ts";
import { until } from "../dev/until.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print } from "../src/terminal/print.ts";

const usage = `Takes the pictures of the dashboard in docs/, from a simulated fleet of 256 GPUs with faults.
  bun scripts/dashboard-pictures.ts [FOLDER]
With FOLDER, takes a picture of every page in every look instead, and puts it there.
Needs what the tests' Chromium needs.`;

const light: BrowserContextOptions = { colorScheme: "light", viewport: { width: 1280, height: 640 } };
const looks: Readonly<Record<string, BrowserContextOptions>> = {
  light,
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 640 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 700 } },
};

/** The one that the pictures follow is the last, so that the page of faults begins with it. */
const faults = [
  "device.gone@20s",
  "nvidia.xid.reboot@50s",
  "nvidia.xid.application@60s",
  "memory.row-remap.pending@90s",
];
const followed = "memory.row-remap.pending";
/** Until jobs start and end, and every fault fires. */
const waitMs = 200_000;
/** Until the canvases are drawn. */
const settleMs = 1500;

interface Fault {
  readonly name: string;
  readonly uuid?: string;
  readonly hostname?: string;
}

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const [folder] = process.argv.slice(2);
const docs = resolve(import.meta.dir, "../docs");
const dir = await mkdtemp(join(tmpdir(), "dashboard-pictures-"));
const pipeline = startPipeline({ DATA_DIR: dir, SIM_HOSTS: "32", SIM_INTERVAL: "2s", SIM_FAULTS: faults.join() });
const chromium = await openChromium();
const startedMs = Date.now();
let url = "";
let pages: Readonly<Record<string, string>> = {};

/** The paths of all pages: those of a GPU and a host are of one that has a fault. */
async function pathsOfPages(): Promise<Readonly<Record<string, string>>> {
  const answer = await fetch(`${url}/api/v1/faults?state=firing`);
  const { data } = (await answer.json()) as { readonly data: readonly Fault[] };
  const { uuid, hostname } = data.find(({ name }) => name === followed) ?? {};
  if (uuid === undefined || hostname === undefined) throw new Error(`${followed} does not fire yet`);
  const [from, to] = [startedMs, Date.now()].map((ms) => new Date(ms).toISOString());
  const gpu = `/gpu?${new URLSearchParams({ uuid, from: from ?? "", to: to ?? "" }).toString()}`;
  return {
    fleet: "/",
    faults: "/faults",
    gpu,
    host: `/host?hostname=${hostname}`,
    namespaces: "/namespaces",
    pipeline: "/pipeline",
  };
}

async function open(path: string, look: BrowserContextOptions = light): Promise<Page> {
  const page = await (await chromium.browser.newContext(look)).newPage();
  await page.goto(`${url}${path}`);
  await page.locator(".status[data-status=live]").waitFor({ timeout: 60_000 });
  if (path === "/") await page.getByRole("button", { name: "Close" }).click();
  await Bun.sleep(settleMs);
  return page;
}

/** The charts of a GPU are below its figures. */
const tall: BrowserContextOptions = { colorScheme: "light", viewport: { width: 1280, height: 900 } };

async function take(page: Page, path: string): Promise<void> {
  const { length } = await page.screenshot({ path });
  print(`${path}: ${Math.round(length / 1024)} KiB`);
}

async function takeAlone(path: string, look: BrowserContextOptions, file: string): Promise<void> {
  const page = await open(path, look);
  await take(page, file);
  await page.context().close();
}

/** The pictures of the docs. Those of the README follow a person from the fleet to a fault, its GPU, and the acknowledgement. */
async function takeForDocs(): Promise<void> {
  const named = (name: string): string => join(docs, `dashboard-${name}.png`);
  for (const [name, look] of Object.entries(looks)) await takeAlone("/", look, named(`fleet-${name}`));
  for (const name of ["faults", "gpu", "host", "namespaces", "pipeline"]) {
    await takeAlone(pages[name] ?? "/", name === "gpu" ? tall : light, named(name));
  }
  const page = await open("/faults");
  await page.getByRole("button", { name: "Acknowledge" }).first().focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("reset tonight, the job ends at 22:00");
  await page.keyboard.press("Enter");
  await until(async () => (await page.getByText("acknowledged by").count()) > 0);
  await Bun.sleep(settleMs);
  await take(page, named("acknowledged"));
}

try {
  url = await urlOf(pipeline);
  await Bun.sleep(waitMs);
  pages = await pathsOfPages();
  if (folder === undefined) await takeForDocs();
  else {
    await mkdir(folder, { recursive: true });
    for (const [name, path] of Object.entries(pages)) {
      for (const [look, options] of Object.entries(looks))
        await takeAlone(path, options, resolve(folder, `${name}-${look}.png`));
    }
  }
} finally {
  await chromium.close();
  await stopPipeline(pipeline);
  await rm(dir, { recursive: true, force: true });
}
