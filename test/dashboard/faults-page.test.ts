import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { faultGuideOf } from "../../src/faults/fault-guide.ts";
import { defaultRules, defaultXids } from "../../src/faults/rules/default-rules.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";
import { gatewayOver, openFleetStore, type TestGateway, type TestOptions } from "../routes/gateway.ts";
import { faultChange, FaultLeader } from "../support/fault-leader.ts";
import { seriousFaults } from "./axe.ts";
import { looks, openPage, overflowPx } from "./open-page.ts";

// The page of faults in a real browser, of a gateway whose store has faults, and of a leader that carries out orders.

const minuteMs = 60_000;
let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let leader: FaultLeader;
const gateways: TestGateway[] = [];
let open: { readonly gateway: TestGateway; readonly url: string };
let hot: string;
let xid: string;

async function serve(parts: TestOptions = {}) {
  const gateway = gatewayOver(stored, parts);
  gateways.push(gateway);
  await gateway.get("/health/live");
  const [port = 0] = await freePorts(1);
  gateway.app.listen({ hostname: "127.0.0.1", port });
  return { gateway, url: `http://localhost:${port}` };
}

beforeAll(async () => {
  [chromium, stored] = await Promise.all([openChromium(), openFleetStore()]);
  leader = await FaultLeader.of(new SqlFaultStore(stored.client));
  const beganMs = systemClock.nowMs() - 10 * minuteMs;
  const holders = [{ namespace: "ml", pod: "train-0", container: "main" }];
  hot = await leader.tell(faultChange({ uuid: "GPU-host-a-0", holders }, "firing", beganMs));
  const lost = { uuid: "GPU-host-b-0", hostname: "host-b", name: "nvidia.xid.79", severity: "critical" as const };
  xid = await leader.tell(
    faultChange({ ...lost, summary: "The GPU has fallen off the bus" }, "firing", beganMs + 1000),
  );
  leader.work();
  open = await serve();
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await leader.stop();
  for (const { app } of gateways) await app.stop(true);
  await stored.close();
});

const shown = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`[...document.querySelectorAll("[data-fault]")].map((each) => each.dataset.fault)`);
const card = (page: Page, id: string) => page.locator(`[data-fault="${id}"]`);

test("faults are the API's, with place, reason, holder and what to do; filters are in the URL", async () => {
  const { page, errors, origins, close } = await openPage(chromium, `${open.url}/faults`);
  expect(await shown(page)).toEqual([xid, hot]);
  const text = (await card(page, hot).textContent()) ?? "";
  const parts = ["warning", "The GPU is hot", "host-a", "firing", "temperature is 90", "Check the fans.", "ml/train-0"];
  expect(parts.filter((part) => !text.includes(part))).toEqual([]);
  await page.getByLabel("Severity").selectOption("critical");
  await until(async () => (await shown(page)).join() === xid);
  expect(new URL(page.url()).search).toBe("?severity=critical");
  const colleague = await openPage(chromium, `${open.url}/faults?search=host-a+hot`);
  expect(await shown(colleague.page)).toEqual([hot]);
  expect(await seriousFaults(colleague.page)).toEqual([]);
  await colleague.close();
  await page.goto(`${open.url}/gpu?uuid=GPU-host-a-0`);
  await until(async () =>
    (await page.locator("[data-lane=faults] li").textContent())?.includes("warning: The GPU is hot"),
  );
  expect([errors, [...origins]]).toEqual([[], [open.url]]);
  await close();
}, 60_000);

test("the runbook of a fault opens on its card, without another server", async () => {
  const guide = faultGuideOf(await defaultRules(), await defaultXids(), "https://wiki.example.org/gpu#");
  const { url } = await serve({ faultGuide: () => Promise.resolve(guide) });
  const { page, errors, origins, close } = await openPage(chromium, `${url}/faults`);
  await card(page, hot).getByText("Runbook of gpu.temperature.high").focus();
  await page.keyboard.press("Enter");
  const runbook = card(page, hot).locator(".runbook");
  await until(async () => (await runbook.textContent())?.includes("Fires: temperature above 85 for 5 min."));
  expect(await runbook.getByRole("link").getAttribute("href")).toBe("https://wiki.example.org/gpu#gputemperaturehigh");
  expect(await seriousFaults(page)).toEqual([]);
  await card(page, xid).getByText("Runbook of nvidia.xid.79").click();
  await until(async () => (await card(page, xid).textContent())?.includes("does not exist any more"));
  expect([errors, [...origins]]).toEqual([[], [url]]);
  await close();
}, 60_000);

test("a fault is silenced with a reason, and acknowledged by keyboard with a comment", async () => {
  const { page, errors, close } = await openPage(chromium, `${open.url}/faults`);
  await card(page, hot).getByRole("button", { name: "Silence" }).click();
  await page.keyboard.type("new fans come tomorrow");
  await card(page, hot).locator("[name=length]").selectOption("4 hours");
  await card(page, hot).getByRole("button", { name: "Silence" }).click();
  await until(async () => (await card(page, hot).textContent())?.includes("firing, silenced"));
  const { data: silences } = (await open.gateway.json("/api/v1/silences")) as { data: Record<string, unknown>[] };
  expect(silences).toMatchObject([
    { reason: "new fans come tomorrow", matchers: { name: "gpu.temperature.high", gpu_uuid: "GPU-host-a-0" } },
  ]);
  await page.locator("[data-part=silences]").getByRole("button", { name: "End" }).click();
  await until(async () => !(await card(page, hot).textContent())?.includes("silenced"));
  await card(page, hot).getByRole("button", { name: "Acknowledge" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("seen");
  await page.keyboard.press("Enter");
  const stored = async () =>
    ((await open.gateway.json(`/api/v1/faults/${encodeURIComponent(hot)}`)) as { data: Record<string, string> }).data;
  await until(async () => (await stored())["state"] === "acknowledged");
  const { acknowledged_by: by = "", comment } = await stored();
  expect(comment).toBe("seen");
  await until(async () => (await card(page, hot).textContent())?.includes(`acknowledged by ${by}: seen`));
  expect(await card(page, hot).getByRole("button", { name: "Acknowledge" }).count()).toBe(0);
  expect(errors).toEqual([]);
  await close();
}, 60_000);

test("a person without the scope sees the faults, and why there are no buttons", async () => {
  const { parts, create } = securedParts(stored);
  const closed = await serve(parts);
  const reader = await create("read");
  const credentials = { httpCredentials: { username: "any", password: reader.text } };
  const { page, close } = await openPage(chromium, `${closed.url}/faults`, credentials);
  await until(async () => (await shown(page)).length === 2);
  expect(await page.getByRole("button", { name: "Acknowledge" }).count()).toBe(0);
  expect(await page.locator(".why").textContent()).toStartWith(
    "To acknowledge or silence faults needs the scope operate.",
  );
  await close();
}, 60_000);

test("more faults than a page has are not passed over: the page says so, and the fleet page counts those that are critical", async () => {
  const beganMs = systemClock.nowMs() - minuteMs;
  // the newest 500 are warnings
  const many = Array.from({ length: 500 }, (_, index) => faultChange({ uuid: `GPU-many-${index}` }, "firing", beganMs));
  await leader.tell(...many);
  const { page, close } = await openPage(chromium, `${open.url}/faults`);
  await until(async () =>
    (await page.locator("main").textContent())?.includes("500 faults of the newest 500; there are more"),
  );
  await page.goto(`${open.url}/`);
  const tile = page.locator("[data-tile=faults]");
  await until(async () => (await tile.textContent())?.includes("500+"));
  expect(await tile.textContent()).toContain("1 critical");
  await leader.tell(...many.map((change) => ({ ...change, state: "resolved" as const })));
  await close();
}, 60_000);

test("the page and the tile of the fleet page say that no process evaluates faults, and since when", async () => {
  const save = "insert into fault_states (kind, place, state, saved_at) values ('time', '', '{}', $1::timestamptz)";
  await stored.client.query(save, ["2025-07-18T20:00:00Z"]);
  const { page, close } = await openPage(chromium, `${open.url}/faults?severity=info`);
  const main = async () => (await page.locator("main").textContent()) ?? "";
  await until(async () => (await main()).includes("No process has evaluated faults since 2025-07-18T20:00:00Z"));
  expect(await main()).not.toContain("No fault fires.");
  expect(await main()).toContain("The list is empty.");
  await page.goto(`${open.url}/`);
  const tile = page.locator("[data-tile=faults]");
  await until(async () => (await tile.textContent())?.includes("not evaluated now"));
  await stored.client.query("delete from fault_states where kind = 'time'");
  await close();
}, 60_000);

describe("axe finds no serious fault", () => {
  test.each(looks)(
    "%s",
    async (_, options) => {
      const { page, close } = await openPage(chromium, `${open.url}/faults`, options);
      await card(page, xid).getByRole("button", { name: "Silence" }).click();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await overflowPx(page)).toBe(0);
      await close();
    },
    60_000,
  );
});
