import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqlUploadStore } from "../../src/pipeline/store/sql/sql-upload-store.ts";
import { hostAsParameter } from "../../src/pipeline/source/host-advice.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";
import { listening } from "../support/listening.ts";

// The commands upload and uploads. test/uploads/ reads uploads.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let port: number;
let uploads: SqlUploadStore;
const dir = await mkdtemp(join(tmpdir(), "telemetry-upload-command-"));
const file = join(dir, "fleet.csv");
beforeAll(async () => {
  await Bun.write(file, "timestamp,uuid,gpu_id,hostname,gpu_utilization\n");
  stored = await openFleetStore([]);
  gateway = gatewayOver(stored);
  port = await listening(gateway);
  uploads = new SqlUploadStore(stored.client);
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
  await rm(dir, { recursive: true, force: true });
});

const run = (...args: string[]) => runTelemetry(port, args);

test("upload waits until the table is read, says why it was not, and uploads lists and removes it", async () => {
  const running = run("upload", file, "--host", "lab-1");
  const { id, hostname } = await until(async () => (await uploads.readable())[0]);
  expect(hostname).toBe("lab-1");
  await uploads.end(id, { state: "failed", message: `fleet.csv: ${hostAsParameter}.` });
  const { status, text } = await running;
  expect([status, text.includes("failed"), text.replace(/\s+/g, " ")]).toEqual([
    ...[1, true, expect.stringContaining("with --host") as string],
  ]);
  expect((await run("upload", file, "--hostname", "lab-1")).errors).toContain("(Did you mean --host?)");

  const sent = await run("upload", file, "--no-wait", "--json");
  const upload = JSON.parse(sent.text) as { id: string; state: string; file_name: string };
  expect([sent.status, upload.state, upload.file_name]).toEqual([0, "queued", "fleet.csv"]);
  expect((await run("upload", file, "--no-wait")).errors).toContain("was uploaded before, as fleet.csv");
  const listed = JSON.parse((await run("uploads", "--json")).text) as readonly { id: string }[];
  expect(listed.map((each) => each.id)).toEqual([upload.id, id]);
  expect((await run("uploads", "delete", upload.id)).text).toContain("cancelled");
  expect((await run("uploads", "delete", upload.id)).status).toBe(0);
  expect((await run("uploads", "delete", upload.id)).status).toBe(1);
}, 60_000);

test("upload waits for a gateway that starts again", async () => {
  const [port = 0] = await freePorts(1);
  const running = runTelemetry(port, ["upload", file, "--no-wait", "--cluster", "later", "--json"]);
  await Bun.sleep(1000);
  const later = gatewayOver(stored);
  later.app.listen({ hostname: "127.0.0.1", port });
  const { status, text, errors } = await running;
  await later.app.stop(true);
  expect([status, errors]).toEqual([0, ""]);
  expect(JSON.parse(text)).toMatchObject({ state: "queued", cluster_id: "later" });
});

test("a file that does not exist is refused in a sentence", async () => {
  const { status, errors } = await run("upload", join(dir, "none.csv"));
  expect([status, errors.trim()]).toEqual([1, `${join(dir, "none.csv")} is not a file that can be read`]);
});
