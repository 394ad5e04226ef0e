import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { readParquet } from "../support/parquet.ts";
import { runTelemetry } from "./run-telemetry.ts";
import { listening } from "../support/listening.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "telemetry-export-"));
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let port = 0;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored);
  port = await listening(gateway);
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
  rmSync(folder, { recursive: true });
});

test("export writes the records that were asked for, and nothing else, to a Parquet file", async () => {
  const file = join(folder, "records.parquet");
  const all = await runTelemetry(port, ["export", "--parquet", file]);
  expect(all).toMatchObject({
    status: 0,
    errors: "",
    text: expect.stringMatching(/^7 records, 0\.0 MiB in /) as string,
  });
  const range = ["--start", "2025-07-18T20:42:34Z", "--end", "2025-07-18T20:42:36Z", "--metrics", "temperature"];
  const some = await runTelemetry(port, ["export", "--parquet", file, "--host", "host-a", ...range, "--json"]);
  expect(JSON.parse(some.text)).toMatchObject({ file, count: 3 });
  const rows = await readParquet(await Bun.file(file).arrayBuffer());
  expect(rows.map(({ timestamp, hostname, temperature }) => [timestamp, hostname, temperature])).toEqual([
    [new Date("2025-07-18T20:42:34Z"), "host-a", null],
    [new Date("2025-07-18T20:42:35Z"), "host-a", 72],
    [new Date("2025-07-18T20:42:36Z"), "host-a", null],
  ]);
  expect(readdirSync(folder)).toEqual(["records.parquet"]);
});

test("a request that is refused, or an answer that breaks off, leaves no file", async () => {
  const file = join(folder, "none.parquet");
  const refused = await runTelemetry(port, ["export", "--parquet", file, "--metrics", "temprature"]);
  expect(refused).toMatchObject({ status: 1, errors: expect.stringContaining("did you mean temperature?") as string });
  const unknown = await runTelemetry(port, ["export", "--parquet", file, "--gpu", "GPU-none"]);
  expect(unknown.status).toBe(1);
  using breaking = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch: () => {
      const body = new ReadableStream({
        pull: (controller) => {
          controller.enqueue(new TextEncoder().encode("PAR1"));
          controller.error(new Error("gone"));
        },
      });
      return new Response(body, { headers: { "content-type": "application/vnd.apache.parquet" } });
    },
  });
  const broken = await runTelemetry(breaking.port ?? 0, ["export", "--parquet", file]);
  expect([broken.status === 0, broken.errors.includes("at ")]).toEqual([false, false]);
  expect([existsSync(file), readdirSync(folder)]).toEqual([false, ["records.parquet"]]);
});
