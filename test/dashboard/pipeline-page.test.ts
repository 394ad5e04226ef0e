import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type OpenChromium, openChromium } from "../../dev/servers/chromium.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import type { Term } from "../../src/scaling/election/leader-election.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { decisionAt, updateAt } from "../contract/scaling-records.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { stateOf } from "../contract/target-states.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";
import {
  addTwoDeadLetters,
  gatewayOver,
  openFleetStore,
  type TestGateway,
  type TestOptions,
} from "../routes/gateway.ts";
import { quarantinedRows, rowOf } from "../routes/quarantined-rows.ts";
import { seriousFaults } from "./axe.ts";
import { openPage, overflowPx } from "./open-page.ts";

// The page of the pipeline in a real browser, of a gateway with dead letters, rejected inputs, processes and decisions.

let chromium: OpenChromium;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
const opened: TestGateway[] = [];
let open: Served;

interface Served {
  readonly gateway: TestGateway;
  readonly url: string;
  /** The dead letters. */
  readonly ids: readonly string[];
}

async function serve(parts: TestOptions = {}): Promise<Served> {
  const gateway = gatewayOver(stored, parts);
  opened.push(gateway);
  const [first = "", second = ""] = await addTwoDeadLetters(gateway.queue);
  await gateway.get("/health/live");
  const [port = 0] = await freePorts(1);
  gateway.app.listen({ hostname: "127.0.0.1", port });
  return { gateway, url: `http://localhost:${port}`, ids: [first, second] };
}

beforeAll(async () => {
  [chromium, stored] = await Promise.all([openChromium(), openFleetStore()]);
  const scaling = new MemoryScalingRecords("one");
  const term = (await new MemoryLeaderElection().campaign(new AbortController().signal)) as Term;
  const nowMs = systemClock.nowMs();
  await scaling.write(term, updateAt(nowMs, [decisionAt(nowMs, 4)]));
  const serviceRegistry = new MemoryServiceRegistry(systemClock);
  const collector = instanceOf("collector-2", { load: { samples_per_second: 8.5, cpu_percent: 63.1 } });
  await serviceRegistry.openEntry(collector.instance_id).put(collector);
  const targetStates = new MemoryTargetStates(systemClock);
  await targetStates.report([
    stateOf("gpu2:9400"),
    stateOf("gpu10:9400", { state: "down", message: "HTTP 500, after 0.2 s" }),
  ]);
  open = await serve({ scaling, serviceRegistry, targetStates });
}, 600_000);
afterAll(async () => {
  await chromium.close();
  for (const { app } of opened) await app.stop(true);
  await stored.close();
});

/** The texts of a part's rows. */
const rowsOf = (page: Page, part: string): Promise<string[][]> =>
  page.evaluate<string[][]>(
    `[...document.querySelectorAll("[data-part=${part}] tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent))`,
  );
const tile = (page: Page, id: string): Promise<string | null> => page.locator(`[data-tile=${id}] strong`).textContent();

test("every part is the API's: rates, queue, processes, decisions with reasons, targets, rejected inputs", async () => {
  const { page, errors, origins, close } = await openPage(chromium, `${open.url}/pipeline`);
  const { data } = (await open.gateway.json("/api/v1/pipeline")) as {
    data: { queue: { depth: number; dead: number } };
  };
  expect([await tile(page, "queue"), await tile(page, "dead"), await tile(page, "rejected")]).toEqual([
    String(data.queue.depth),
    String(data.queue.dead),
    "2",
  ]);
  expect([await tile(page, "rate"), await tile(page, "processes")]).toEqual(["8.5 /s", "1"]);
  const [collector = []] = await rowsOf(page, "services");
  // an unknown figure is not 0
  expect(collector.slice(0, 8)).toEqual([
    ...["collector-2", "collector", "ready", "8.5 /s", "no data", "63.1 %", "no data", "no data"],
  ]);
  const { decisions } = ((await open.gateway.json("/api/v1/scaling")) as { data: { decisions: { reason: string }[] } })
    .data;
  expect((await rowsOf(page, "scaling")).map((cells) => cells[3])).toEqual(decisions.map(({ reason }) => reason));
  expect((await rowsOf(page, "targets")).map(([target]) => target)).toEqual(["gpu10:9400", "gpu2:9400"]);
  const { data: rejections } = (await open.gateway.json("/api/v1/quarantine")) as { data: { message: string }[] };
  expect((await rowsOf(page, "quarantine")).map((cells) => cells[5])).toEqual(rejections.map(({ message }) => message));
  expect(await seriousFaults(page)).toEqual([]);
  expect([errors, [...origins]]).toEqual([[], [open.url]]);
  await close();
}, 60_000);

test("a dead letter is delivered again by keyboard, and another is deleted after a question", async () => {
  const { page, errors, close } = await openPage(chromium, `${open.url}/pipeline`);
  const [first = "", second = ""] = open.ids;
  const letters = async (): Promise<(string | undefined)[]> => (await rowsOf(page, "dead-letters")).map(([id]) => id);
  const row = (id: string) => page.locator(`tr[data-row="${id}"]`);
  expect(await letters()).toEqual([first, second]);
  await row(first).getByRole("button", { name: "Redrive" }).focus();
  await page.keyboard.press("Enter");
  await until(async () => (await letters()).length === 1);
  expect(await page.locator("[data-part=dead-letters] .said").textContent()).toBe(
    `Message ${first} is delivered again.`,
  );
  expect((await open.gateway.get(`/api/v1/pipeline/dead-letters/${first}`)).status).toBe(404);
  const depth = async () => ((await open.gateway.json("/api/v1/pipeline")) as { data: { queue: object } }).data.queue;
  expect(await depth()).toMatchObject({ depth: 2, dead: 1 });
  await row(second).getByRole("button", { name: "Delete" }).click();
  await row(second).getByRole("button", { name: "Keep" }).click();
  expect(await depth()).toMatchObject({ dead: 1 });
  await row(second).getByRole("button", { name: "Delete" }).click();
  await row(second).getByRole("button", { name: "for good" }).click();
  await until(async () => (await letters()).length === 0);
  expect(await depth()).toMatchObject({ depth: 2, dead: 0 });
  await until(async () => (await page.locator("[data-part=dead-letters] .empty").count()) === 1);
  expect(errors).toEqual([]);
  await close();
}, 60_000);

test("a rejected row is redriven by keyboard, one that still cannot be used says why, and is deleted after a question", async () => {
  const rows = [rowOf({ value: "45" }), rowOf({ value: "345" })];
  const [good = 0, bad = 0] = await quarantinedRows(stored, "csv:page.csv", rows);
  const { page, errors, close } = await openPage(chromium, `${open.url}/pipeline`);
  const row = (id: number) => page.locator(`[data-part=quarantine] tr[data-row="${id}"]`);
  const said = () => page.locator("[data-part=quarantine] .said").textContent();
  await row(good).getByRole("button", { name: "Redrive" }).focus();
  await page.keyboard.press("Enter");
  await until(async () => (await row(good).count()) === 0);
  expect(await said()).toBe(`Input ${good} is accepted now, and on its way into the store.`);
  await row(bad).getByRole("button", { name: "Redrive" }).click();
  await until(async () => (await said())?.includes('The value "345" of temperature is outside its range'));
  await row(bad).getByRole("button", { name: "Delete" }).click();
  await row(bad).getByRole("button", { name: "for good" }).click();
  await until(async () => (await row(bad).count()) === 0);
  // the browser reports the refused redrive
  expect(errors.filter((text) => !text.includes("400"))).toEqual([]);
  await close();
}, 60_000);

test("a person without the scope sees the dead letters, and why there are no buttons", async () => {
  const { parts, create } = securedParts(stored);
  const closed = await serve(parts);
  const reader = await create("read");
  const credentials = { httpCredentials: { username: "any", password: reader.text } };
  const { page, close } = await openPage(chromium, `${closed.url}/pipeline`, credentials);
  await until(async () => (await rowsOf(page, "dead-letters")).length === 2);
  expect(await page.getByRole("button", { name: "Redrive" }).count()).toBe(0);
  expect(await page.locator("[data-part=dead-letters] .why").textContent()).toBe(
    "To deliver messages again or delete them needs the scope operate. read has read; an administrator can give it.",
  );
  await close();
}, 60_000);

describe("axe finds no serious fault", () => {
  test.each([
    ["dark", { colorScheme: "dark" }],
    ["on a phone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
  ] as const)(
    "%s",
    async (_, options) => {
      const { page, close } = await openPage(chromium, `${open.url}/pipeline`, options);
      expect(await seriousFaults(page)).toEqual([]);
      expect(await overflowPx(page)).toBe(0);
      await close();
    },
    60_000,
  );
});
