import { describe, expect, test } from "bun:test";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

interface Body {
  readonly count: number;
  readonly next_cursor?: string;
  readonly data: readonly { readonly [field: string]: unknown }[];
}

const bodyOf = async (path: string): Promise<Body> => (await running.gateway.json(path)) as unknown as Body;
const fieldsOf = async (path: string, field: string) => (await bodyOf(path)).data.map((each) => each[field]);

describe("filters", () => {
  test("GPUs by uuid, cluster, host, model and the namespace that holds them", async () => {
    const uuids = (query: string) => fieldsOf(`/api/v1/gpus?${query}`, "uuid");
    expect(await uuids("cluster_id=alpha")).toEqual(["GPU-host-a-0", "GPU-host-a-1", "GPU-host-b-0"]);
    expect(await uuids("hostname=host-b")).toEqual(["GPU-host-b-0"]);
    expect(await uuids("namespace=ml")).toEqual(["GPU-host-a-0"]);
    expect(await uuids("model=NVIDIA%20H100%2080GB%20HBM3&cluster_id=beta")).toEqual(["GPU/x y+%é"]);
    expect(await uuids("model=other")).toEqual([]);
    expect(await uuids("gpu_uuid=GPU-host-a-1")).toEqual(["GPU-host-a-1"]);
    expect(await uuids("gpu_uuid=GPU-host-a-1&hostname=host-b")).toEqual([]);
  });

  test("hosts by an attribute of one of their GPUs; the counts of a host include its other GPUs", async () => {
    for (const query of ["namespace=ml", "gpu_uuid=GPU-host-a-0"]) {
      const { data } = await bodyOf(`/api/v1/hosts?${query}`);
      expect(data).toMatchObject([{ hostname: "host-a", cluster_id: "alpha", gpu_count: 2, active_gpu_count: 2 }]);
    }
    expect(await fieldsOf("/api/v1/hosts?model=other", "hostname")).toEqual([]);
  });

  test("the newest records and the history, by the same attributes", async () => {
    for (const path of ["/api/v1/telemetry/latest", "/api/v1/telemetry"]) {
      expect(new Set(await fieldsOf(`${path}?gpu_uuid=GPU-host-a-0`, "uuid"))).toEqual(new Set(["GPU-host-a-0"]));
      expect(await fieldsOf(`${path}?hostname=host-b`, "uuid")).toEqual(["GPU-host-b-0"]);
      expect(await fieldsOf(`${path}?cluster_id=beta`, "uuid")).toEqual(["GPU/x y+%é"]);
      expect(await fieldsOf(`${path}?namespace=ml`, "telemetry_id")).toEqual(["host-a_0_1752871357.250"]);
      expect(await fieldsOf(`${path}?model=other`, "uuid")).toEqual([]);
    }
  });
});

describe("order and metrics", () => {
  test("order=desc returns the same records in reverse", async () => {
    for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest", "/api/v1/gpus/GPU-host-a-0/telemetry"]) {
      const ascending = await fieldsOf(`${path}?limit=3`, "telemetry_id");
      expect(ascending.length).toBe(3);
      expect(await fieldsOf(`${path}?limit=3&order=desc`, "telemetry_id")).toEqual(ascending.toReversed());
    }
    expect(await running.gateway.json("/api/v1/telemetry?order=up")).toMatchObject({
      error: { code: "invalid_parameter", details: { parameter: "order", value: "up" } },
    });
  });

  test("records and rollups have only the requested metrics", async () => {
    const fields = ["temperature", "power_draw", "gpu_utilization", "custom"];
    const metricsIn = async (path: string) => {
      const { data } = await bodyOf(path);
      return data.map((record) => fields.filter((field) => field in record));
    };
    expect(await metricsIn("/api/v1/gpus/GPU-host-a-1/telemetry?metrics=temperature,power_draw")).toEqual([
      ["temperature", "power_draw"],
    ]);
    expect(await metricsIn("/api/v1/telemetry/latest?hostname=host-a&cluster_id=alpha&metrics=temperature")).toEqual([
      ["temperature"],
      [],
    ]);
    expect(await metricsIn("/api/v1/gpus/GPU-host-a-1/telemetry?metrics=temperature&resolution=1m")).toEqual([
      ["temperature"],
    ]);
    for (const path of ["/api/v1/telemetry", "/api/v1/telemetry/latest"]) {
      const refused = JSON.stringify(await running.gateway.json(`${path}?metrics=temperature,warmth`));
      expect(refused).toContain('there is no metric \\"warmth\\"');
      expect(refused).toContain('a metric outside the catalogue is selected as \\"warmth{}\\"');
      for (const [given, meant] of [
        ["temprature", "temperature"],
        ["power", "power_draw"],
        ["DCGM_FI_DEV_GPU_TMEP", "DCGM_FI_DEV_GPU_TEMP"],
      ]) {
        const told = JSON.stringify(await running.gateway.json(`${path}?metrics=${given}`));
        expect(told).toMatch(new RegExp(`did you mean [^?]*\\b${meant}\\b`));
      }
    }
  });
});

describe("pages of lists", () => {
  test("for GPUs and for hosts, the pages together equal the list without a limit", async () => {
    for (const [path, field] of [
      ["/api/v1/gpus", "uuid"],
      ["/api/v1/hosts", "cluster_id"],
    ] as const) {
      const whole = await bodyOf(path);
      expect(whole.next_cursor).toBeUndefined();
      const seen: unknown[] = [];
      for (let cursor = ""; ;) {
        const page = await bodyOf(`${path}?limit=1${cursor}`);
        expect(page.count).toBe(1);
        seen.push(...page.data.map((each) => each[field]));
        if (page.next_cursor === undefined) break;
        cursor = `&cursor=${page.next_cursor}`;
      }
      expect(seen).toEqual(whole.data.map((each) => each[field]));
    }
  });

  test("a text that is not a cursor is refused", async () => {
    expect(await running.gateway.json("/api/v1/gpus?cursor=abc")).toMatchObject({
      error: { code: "invalid_parameter", details: { parameter: "cursor", value: "abc" } },
    });
  });
});
