import { describe, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

const post = async (path: string): Promise<Record<string, unknown>> =>
  (await (await running.gateway.get(`/api/v1/inventory${path}`, { method: "POST" })).json()) as Record<string, unknown>;
const list = async (query: string) => (await running.gateway.json(`/api/v1/inventory?${query}`))["data"];

describe("the inventory", () => {
  test("has the hosts and devices that have reported, in parts, as JSON, NDJSON and CSV", async () => {
    const whole = (await list("cluster_id=alpha")) as { hostname: string; kind: string; uuid?: string }[];
    expect(whole[0]).toMatchObject({ kind: "host", cluster_id: "alpha", state: "active", declared_by: [] });
    expect(whole[0]).not.toHaveProperty("uuid");
    const first = await running.gateway.json("/api/v1/inventory?cluster_id=alpha&limit=2");
    const rest = await running.gateway.json(
      `/api/v1/inventory?cluster_id=alpha&cursor=${String(first["next_cursor"])}`,
    );
    expect([...(first["data"] as object[]), ...(rest["data"] as object[])]).toEqual(whole);
    const ndjson = await running.gateway.get("/api/v1/inventory?cluster_id=alpha", {
      headers: { accept: "application/x-ndjson" },
    });
    expect((await ndjson.text()).split("\n")[0]).toBe(JSON.stringify(whole[0]));
    const csv = await running.gateway.get("/api/v1/inventory?cluster_id=alpha", { headers: { accept: "text/csv" } });
    expect((await csv.text()).split("\n")[1]).toStartWith(`host,alpha,${whole[0]?.hostname},,active,`);
  });

  test("takes a host under maintenance and back, and lists by state", async () => {
    const [host] = (await list("cluster_id=alpha&kind=host")) as { hostname: string }[];
    const hostname = host?.hostname ?? "";
    const answer = await post(
      `/maintenance?cluster_id=alpha&hostname=${hostname}&end_time=2099-01-01T00:00:00Z&note=fans`,
    );
    expect(answer).toMatchObject({
      success: true,
      count: 1,
      data: { hostname, state: "maintenance", to: "2099-01-01T00:00:00Z", note: "fans" },
    });
    const states = ((await list("state=maintenance")) as { hostname: string }[]).map((item) => item.hostname);
    expect(new Set(states)).toEqual(new Set([hostname]));
    expect(states.length).toBeGreaterThan(1);
    expect(await post(`/restore?cluster_id=alpha&hostname=${hostname}`)).toMatchObject({ data: { state: "active" } });
    expect(await list("state=maintenance")).toEqual([]);
  });

  test("declares what has never reported, and forgets it when the declaration is withdrawn", async () => {
    expect(await post("/declare?hostname=gpu-99&gpus=8")).toMatchObject({
      error: {
        code: "invalid_parameter",
        message: expect.stringContaining('no cluster has a host "gpu-99" yet') as string,
      },
    });
    expect(await post("/declare?hostname=gpu-99&gpus=8&cluster_id=lab")).toMatchObject({
      data: { kind: "host", gpus: 8, gpus_seen: 0, declared_by: ["operator"] },
    });
    expect(await post("/declare?hostname=gpu-99&gpu_uuid=GPU-99-a")).toMatchObject({
      data: { kind: "device", uuid: "GPU-99-a" },
    });
    expect(await post("/declare?hostname=gpu-99")).toMatchObject({ error: { details: { parameter: "gpus" } } });
    for (const hidden of ["hostname=gpu%E2%80%8B-99", "hostname=gpu-99&gpu_uuid=GPU-%E2%80%AE99"]) {
      const refused = await post(`/declare?${hidden}&gpus=8&cluster_id=lab`);
      expect(refused).toMatchObject({ error: { message: expect.stringContaining("not seen") as string } });
    }
    expect(await list("seen=never")).toMatchObject([{ hostname: "gpu-99" }, { uuid: "GPU-99-a" }]);
    expect(await post("/decommission?gpu_uuid=GPU-99-a&start_time=2025-01-01T00:00:00Z")).toMatchObject({
      data: { state: "decommissioned", from: "2025-01-01T00:00:00Z" },
    });
    const withdraw = async (query: string) =>
      (await running.gateway.get(`/api/v1/inventory?${query}`, { method: "DELETE" })).status;
    expect(await withdraw("gpu_uuid=GPU-99-a")).toBe(200);
    expect(await withdraw("hostname=gpu-99")).toBe(200);
    expect(await withdraw("hostname=gpu-99")).toBe(404);
    expect(await list("seen=never")).toEqual([]);
  });

  test("refuses what cannot be right, and says what would be", async () => {
    const [device] = (await list("cluster_id=alpha&kind=device")) as { hostname: string; uuid: string }[];
    const { hostname = "", uuid = "" } = device ?? {};
    const missing = await running.gateway.get(`/api/v1/inventory/decommission?hostname=${hostname}x`, {
      method: "POST",
    });
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      error: { code: "not_found", message: expect.stringContaining(`similar: ${hostname}`) as string },
    });
    expect(await post("/decommission")).toMatchObject({ error: { details: { parameter: "hostname" } } });
    expect(await post(`/decommission?gpu_uuid=${uuid}&start_time=2001-01-01T00:00:00Z`)).toMatchObject({
      error: {
        message: expect.stringMatching(
          /^start_time="2001-01-01T00:00:00Z" is not usable: .* has reported until 20/,
        ) as string,
      },
    });
    const backwards = "start_time=2025-07-18T21:00:00Z&end_time=2025-07-18T20:00:00Z";
    expect(await post(`/maintenance?cluster_id=alpha&hostname=${hostname}&${backwards}`)).toMatchObject({
      error: { code: "invalid_parameter", details: { parameter: "end_time", value: "2025-07-18T20:00:00Z" } },
    });
  });

  test("ends a target by hand, and refuses one that never answered or that was read later", async () => {
    const timeMs = Date.UTC(2025, 6, 18, 20);
    const reading = { timeMs, intervalMs: 1000, outcome: "read" as const, count: 1 };
    await running.stored.store.ingest(
      messageOf("target", { ...makeBatch([]), reading }, { source: "scrape:lab:gpu-1:9400" }),
    );
    const end = (query: string) => post(`/end-target?source_id=scrape:lab:${query}`);
    expect(await end("gpu-1:9400&end_time=2025-07-18T20:10:00Z")).toMatchObject({
      data: { source_id: "scrape:lab:gpu-1:9400", ended_at: "2025-07-18T20:10:00Z" },
    });
    expect(await end("gpu-1:9400&end_time=2025-07-18T19:00:00Z")).toMatchObject({
      error: { code: "invalid_parameter", message: expect.stringContaining("2025-07-18T20:00:00Z or later") as string },
    });
    expect(await end("gpu-2:9400")).toMatchObject({
      error: { code: "not_found", details: { similar: ["scrape:lab:gpu-1:9400"] } },
    });
  });

  test("is the same in GraphQL", async () => {
    const ask = async (query: string): Promise<Record<string, unknown>> => {
      const body = JSON.stringify({ query });
      const headers = { "content-type": "application/json" };
      return (await (await running.gateway.get("/graphql", { method: "POST", headers, body })).json()) as Record<
        string,
        unknown
      >;
    };
    expect(await ask('mutation { declare(hostname: "gpu-77", clusterId: "lab", gpus: 4) { kind gpus } }')).toEqual({
      data: { declare: { kind: "host", gpus: 4 } },
    });
    expect(await ask('mutation { startMaintenance(hostname: "gpu-77", note: "new") { state note } }')).toEqual({
      data: { startMaintenance: { state: "maintenance", note: "new" } },
    });
    expect(
      await ask('{ inventory(hostname: "gpu-77") { items { hostname state declaredBy uuid } nextCursor } }'),
    ).toEqual({
      data: {
        inventory: {
          items: [{ hostname: "gpu-77", state: "maintenance", declaredBy: ["operator"], uuid: null }],
          nextCursor: null,
        },
      },
    });
    expect(await ask('mutation { endTarget(sourceId: "scrape:lab:gpu-1:9400") { sourceId } }')).toEqual({
      data: { endTarget: { sourceId: "scrape:lab:gpu-1:9400" } },
    });
    expect(await ask('mutation { decommission(hostname: "gpu-7") { state } }')).toMatchObject({
      errors: [{ message: expect.stringContaining("similar: gpu-77") as string }],
    });
    expect(
      await ask('mutation { restore(hostname: "gpu-77") { state } withdrawDeclaration(hostname: "gpu-77") { gpus } }'),
    ).toEqual({
      data: { restore: { state: "active" }, withdrawDeclaration: { gpus: 4 } },
    });
  });
});
