import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unshownLog } from "../../dev/unshown-log.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { everything } from "../archive/archived-fleet.ts";
import { objectAccess, serveObjects } from "../archive/object-server.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";
import { listening } from "../support/listening.ts";

setDefaultTimeout(60_000);

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let port: number;
let folder: string;
beforeAll(async () => {
  stored = await openFleetStore(everything);
  folder = mkdtempSync(join(tmpdir(), "archive-"));
  gateway = gatewayOver(stored);
  port = await listening(gateway);
});
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
  rmSync(folder, { recursive: true });
});

class SteppedArchive extends ArchiveUpkeep {
  override step = (): Promise<void> => super.step();
}

async function archiveTo(files: ReturnType<typeof openArchiveFiles>): Promise<void> {
  const { archive: ledger, queries } = stored;
  const parts = { ledger, files, queries, format: archiveFormat, clock, log: unshownLog() };
  await new SteppedArchive({ ...parts, afterMinutes: 0, instanceId: "one" }).step();
}

interface Answer {
  readonly total: number;
  readonly records: number;
  readonly waiting_hours: number;
  readonly next_cursor?: string;
  readonly data: readonly { readonly path: string; readonly records: number }[];
}
const ask = async (query: string): Promise<Answer> =>
  (await gateway.json(`/api/v1/archive${query}`)) as unknown as Answer;

test("the archive is listed with what waits, by cluster and hour, part by part and as CSV", async () => {
  expect(await ask("")).toMatchObject({ total: 0, records: 0, data: [] });
  await archiveTo(openArchiveFiles(folder));
  const all = await ask("");
  expect(all).toMatchObject({ total: 4, records: 12, waiting_hours: 0, place: folder });
  const first = await ask("?limit=3");
  const second = await ask(`?limit=3&cursor=${first.next_cursor}`);
  expect([...first.data, ...second.data]).toEqual([...all.data]);
  expect([first.total, second.total, second.next_cursor]).toEqual([4, 4, undefined]);
  const ofBeta = await ask("?cluster_id=beta");
  expect([ofBeta.total, ofBeta.data.every(({ path }) => path.includes("cluster=beta/"))]).toEqual([2, true]);
  expect(await ask("?start_time=2025-07-18T22:59:00Z&end_time=2025-07-18T22:59:00Z")).toMatchObject({ total: 1 });
  const csv = await gateway.get("/api/v1/archive", { headers: { accept: "text/csv" } });
  expect((await csv.text()).split("\n")[0]).toBe("hour,cluster_id,path,records,bytes,sha256,written_at");
});

test("telemetry archive lists the files, and verify names those that are missing, changed or unreadable", async () => {
  const listed = await runTelemetry(port, ["archive", "--cluster", "alpha"]);
  expect([listed.status, listed.errors]).toEqual([0, ""]);
  expect(listed.text).toContain("2025-07-18T20:00:00Z");
  expect(listed.text).toContain(folder);
  const verify = (...args: string[]) => runTelemetry(port, ["archive", "verify", ...args]);
  expect(await verify()).toEqual({ status: 0, errors: "", text: "4 of 4 file(s) are as they were written\n" });
  const [changed = "", cut = "", missing = ""] = (await ask("")).data.map(({ path }) => path);
  const content = readFileSync(join(folder, changed));
  content[10] = (content[10] ?? 0) ^ 1;
  writeFileSync(join(folder, changed), content);
  appendFileSync(join(folder, cut), "x");
  rmSync(join(folder, missing));
  const found = await verify();
  expect([found.status, found.text]).toEqual([1, "1 of 4 file(s) are as they were written\n"]);
  expect(found.errors).toContain(`${changed}: changed: SHA-256`);
  expect(found.errors).toContain(`${cut}: changed: `);
  expect(found.errors).toContain(`${missing}: missing: not in ${folder}`);
  expect((await verify("--end", "2024-12-31T00:00:00Z")).text).toBe("1 of 1 file(s) are as they were written\n");
  const nowhere = await verify("--json", join(folder, changed));
  expect([nowhere.status, nowhere.text.match(/"problem": "unreadable"/g)?.length]).toEqual([1, 4]);
});

test("verify reads an archive in a store of objects", async () => {
  using objects = serveObjects();
  await archiveTo(openArchiveFiles("s3://bucket/fleet", { ...objectAccess, endpoint: objects.endpoint }));
  const env = {
    ...{ AWS_ACCESS_KEY_ID: objectAccess.accessKeyId, AWS_SECRET_ACCESS_KEY: objectAccess.secretAccessKey },
    ...{ AWS_REGION: objectAccess.region, AWS_ENDPOINT: objects.endpoint },
  };
  const { status, text } = await runTelemetry(port, ["archive", "verify", "s3://bucket/fleet"], env);
  expect([status, text]).toEqual([0, "4 of 4 file(s) are as they were written\n"]);
  objects.objects.delete([...objects.objects.keys()][0] ?? "");
  expect((await runTelemetry(port, ["archive", "verify"], env)).status).toBe(1);
});
