import { afterAll, beforeAll, expect, test } from "bun:test";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { openPage } from "./open-page.ts";

// The fleet page while the fleet grows: records keep arriving faster than the page reads its lists again.

let chromium: OpenChromium;
let gateway: LiveGateway;
beforeAll(async () => {
  [chromium, gateway] = await Promise.all([openChromium(), openLiveGateway()]);
}, 600_000);
afterAll(async () => {
  await chromium.close();
  await gateway.close();
});

test("a GPU whose first record arrives while the page is open gets its row, however many records follow", async () => {
  const { page, close } = await openPage(chromium, `http://localhost:${gateway.port}/`);
  const row = page.locator("tbody tr[data-uuid=GPU-new]");
  let isShown = false;
  // it reads the lists 10 s after it began in any case
  for (let records = 0; !isShown && records < 50; records++) {
    const timeMs = systemClock.nowMs();
    await gateway.publish({ uuid: "GPU-new", hostname: "host-new", timeMs, metrics: { gpu_utilization: 50 } });
    await systemClock.sleep(100);
    isShown = (await row.count()) === 1;
  }
  expect(isShown).toBe(true);
  await close();
}, 20_000);
