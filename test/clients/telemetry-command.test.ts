import { afterAll, beforeAll, expect, test } from "bun:test";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { buryTwo } from "../routes/gateway.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory-queue.ts";
import { systemClock } from "../../src/domain/clock.ts";

const queue = new MemoryQueue({
  topic: "telemetry",
  clock: systemClock,
  capacityMessages: 10,
  leaseSeconds: 30,
  maxAttempts: 1,
});
let gateway: LiveGateway;
let letters: string[];
beforeAll(async () => {
  gateway = await openLiveGateway({ queue, deadLetters: queue });
  letters = await buryTwo(queue);
  await gateway.tell({
    uuid: "GPU-cli",
    timeMs: Date.UTC(2025, 6, 18),
    metrics: { temperature: 41, power_draw: 300.5 },
    hostname: "host-cli",
  });
});
afterAll(() => gateway.close());

/** Runs the command against the gateway. */
async function run(...args: string[]): Promise<{ status: number; text: string; errors: string }> {
  const child = Bun.spawn([process.execPath, "scripts/telemetry.ts", ...args], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${gateway.port}`, NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, text, errors };
}

const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, "--json")).text);

test("GPUs, hosts and newest records as tables, and as JSON", async () => {
  const table = await run("gpus");
  expect([table.status, table.errors]).toEqual([0, ""]);
  expect(table.text).toContain("host-cli");
  expect(table.text).toContain("1 row");
  expect(await jsonOf("gpus", "--host", "host-cli")).toMatchObject([{ uuid: "GPU-cli" }]);
  expect(await jsonOf("gpus", "--host", "none")).toEqual([]);
  expect(await jsonOf("hosts")).toMatchObject([{ hostname: "host-cli", gpu_count: 1 }]);
  expect((await run("latest")).text).toContain("300.5");
});

test("records as they come", async () => {
  const watching = await run("watch", "--gpu", "GPU-cli", "--count", "1");
  expect(watching.text).toContain("2025-07-18T00:00:00Z GPU-cli temperature=41 power_draw=300.5");
});

test("the queue, and dead letters to deliver again or drop", async () => {
  expect((await run("queue")).text).toContain("capacity");
  expect(await jsonOf("dead-letters")).toMatchObject([{ id: letters[0] }, { id: letters[1] }]);
  expect((await run("dead-letters", "redrive", letters[0] ?? "")).status).toBe(0);
  expect((await run("dead-letters", "delete", letters[1] ?? "")).status).toBe(0);
  expect(await jsonOf("dead-letters")).toEqual([]);
  const gone = await run("dead-letters", "delete", letters[1] ?? "");
  expect([gone.status, gone.errors]).toEqual([1, expect.stringContaining("There is no dead letter")]);
});

test("what cannot be done is said, with a status of its own", async () => {
  const nobody = await run("gpus", "--url", "http://127.0.0.1:1");
  expect([nobody.status, nobody.errors]).toEqual([2, expect.stringContaining("got no answer")]);
  const wrong = await run("gpus", "--limit", "none");
  expect([wrong.status, wrong.errors]).toEqual([1, expect.stringContaining("whole number from 1 to 10000")]);
  expect((await run("--help")).text).toContain("dead-letters");
});
