import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPipeline, urlOf } from "../../../dev/pipeline-process.ts";
import { expectStopped } from "../../support/expect-stopped.ts";
import { LiveClient } from "./live-gateway.ts";
import { makeDataDir } from "../../../dev/empty-store.ts";

test("a stopping process closes its clients' connections with 1012, and does not wait for the clients", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-live-"));
  await makeDataDir(folder);
  const pipeline = startPipeline({ DATA_DIR: folder, SIM_HOSTS: "1", SIM_INTERVAL: "200ms" });
  try {
    const url = `${(await urlOf(pipeline)).replace("http:", "ws:")}/ws`;
    const client = await LiveClient.open({ url });
    const other = await LiveClient.open({ url });
    await client.ask({ type: "subscribe", filters: { metrics: ["temperature"] } });
    await client.until(() => client.messages.filter((message) => message["snapshot"] === undefined).length > 20);
    const startedAtMs = performance.now();
    const stopped = expectStopped([pipeline]);
    expect([await client.closed, await other.closed]).toMatchObject([{ code: 1012 }, { code: 1012 }]);
    await stopped;
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
  } finally {
    pipeline.subprocess.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
