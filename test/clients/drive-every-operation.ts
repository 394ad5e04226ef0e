import { answerOf, createGatewayClient, type GatewayClient, GatewayError, type paths } from "gpu-telemetry-client";

// This file is also compiled and run in a separate project that has only the packed package, so it imports nothing else.

type Method = "get" | "post" | "put" | "patch" | "delete";
/** The name of an operation of the client, such as `get /api/v1/gpus`. */
type Operation = {
  [Path in keyof paths]: {
    [Each in Method]: paths[Path] extends Record<Each, { readonly responses: unknown }> ? `${Each} ${Path}` : never;
  }[Method];
}[keyof paths];

/** What `driveEveryOperation` sent and received. */
export interface DriveResult {
  /** Method and path of every request that was sent. */
  readonly sent: readonly { readonly method: string; readonly path: string }[];
  /** A number from the answer of each operation, usually its count of elements. */
  readonly counts: Readonly<Record<Operation, number>>;
}

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const host_id = "mtv5-dgx1-hgpu-032";
const cluster = (cluster_id: string) => ({ params: { path: { cluster_id } } });

/** Calls every operation of the client on a gateway that has loaded the real CSV. The compiler checks that `callsOf` has a
 *  call for each operation.
 *  @param cluster_id cluster of the CSV
 *  @throws GatewayError if the gateway answers a call with an error, except not_found for a dead letter and figure_unknown
 *  @throws GatewayUnreachable if no complete answer arrives */
export async function driveEveryOperation(baseUrl: string, cluster_id: string): Promise<DriveResult> {
  const sent: { method: string; path: string }[] = [];
  const gateway = createGatewayClient({
    baseUrl,
    fetch: (request) => {
      sent.push({ method: request.method, path: new URL(request.url).pathname });
      return fetch(request);
    },
  });
  const counts = {} as Record<Operation, number>;
  for (const [operation, call] of Object.entries(callsOf(gateway, cluster_id))) {
    counts[operation as Operation] = await call();
  }
  return { sent, counts };
}

/** The path parameters of a dead letter that does not exist. */
const noKey = { params: { path: { key_id: "none" } } };
const noLetter = { params: { path: { id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2" } } };
/** A request of remote write without series: a block of snappy whose content has 0 bytes. */
const noSeries = {
  body: "\0",
  bodySerializer: (body: string) => body,
  headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
};
const noUpload = { params: { path: { id: "01K0FJ2Q0J8M3S6T9V2W5X8Y1Z" } } };
/** A table without rows. */
const noTable = {
  body: "timestamp,uuid,gpu_id,hostname,gpu_utilization\n",
  bodySerializer: (body: unknown) => body as string,
  headers: { "content-type": "text/csv" },
};
const noRejection = { params: { path: { id: 999_999 } } };

/** @returns the answer's count; 0 if the gateway answers not_found */
async function countIfFound(call: Parameters<typeof answerOf<{ count: number }>>[0]): Promise<number> {
  try {
    return (await answerOf(call)).count;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "not_found") return 0;
    throw error;
  }
}

/** @returns the figure; 0 if no coordinator leads */
async function figureIfKnown(gateway: GatewayClient, figure: "backlog"): Promise<number> {
  try {
    return (await answerOf(gateway.GET("/api/v1/scaling/{figure}", { params: { path: { figure } } }))).value;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "figure_unknown") return 0;
    throw error;
  }
}

function callsOf(gateway: GatewayClient, cluster_id: string): Record<Operation, () => Promise<number>> {
  const inCluster = cluster(cluster_id);
  const ofHost = { params: { path: { cluster_id, host_id } } };
  const ofGpu = { params: { path: { cluster_id, host_id, gpu_id: "4" } } };
  const window = { start_time: "2025-07-18T20:00:00Z", end_time: "2025-07-18T21:00:00Z" };
  const counted = async (call: Parameters<typeof answerOf<{ count: number }>>[0]) => (await answerOf(call)).count;
  return {
    "get /health": async () => Object.keys((await answerOf(gateway.GET("/health"))).components).length,
    "get /health/live": async () => (await answerOf(gateway.GET("/health/live"))).reasons.length,
    "get /health/ready": async () => (await answerOf(gateway.GET("/health/ready"))).reasons.length,
    "get /metrics/fleet": async () =>
      (await answerOf(gateway.GET("/metrics/fleet", { parseAs: "text" }))).split("\n").length,
    "get /metrics": async () => (await answerOf(gateway.GET("/metrics", { parseAs: "text" }))).split("\n").length,
    "get /api/v1/gpus": () => counted(gateway.GET("/api/v1/gpus")),
    "get /api/v1/gpus/{uuid}": () => counted(gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } })),
    "get /api/v1/gpus/{uuid}/telemetry": () =>
      counted(gateway.GET("/api/v1/gpus/{uuid}/telemetry", { params: { path: { uuid }, query: { limit: 50 } } })),
    "get /api/v1/gpus/{uuid}/changes": () =>
      counted(gateway.GET("/api/v1/gpus/{uuid}/changes", { params: { path: { uuid } } })),
    "get /api/v1/clusters": () => counted(gateway.GET("/api/v1/clusters")),
    "get /api/v1/clusters/{cluster_id}": () => counted(gateway.GET("/api/v1/clusters/{cluster_id}", inCluster)),
    "get /api/v1/clusters/{cluster_id}/stats": async () =>
      (await answerOf(gateway.GET("/api/v1/clusters/{cluster_id}/stats", inCluster))).data.record_count,
    "get /api/v1/clusters/{cluster_id}/hosts": () =>
      counted(gateway.GET("/api/v1/clusters/{cluster_id}/hosts", inCluster)),
    "get /api/v1/clusters/{cluster_id}/hosts/{host_id}": () =>
      counted(gateway.GET("/api/v1/clusters/{cluster_id}/hosts/{host_id}", ofHost)),
    "get /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus": () =>
      counted(gateway.GET("/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus", ofHost)),
    "get /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}": () =>
      counted(gateway.GET("/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}", ofGpu)),
    "get /api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}/metrics": () =>
      counted(gateway.GET("/api/v1/clusters/{cluster_id}/hosts/{host_id}/gpus/{gpu_id}/metrics", ofGpu)),
    "get /api/v1/hosts": () => counted(gateway.GET("/api/v1/hosts")),
    "get /api/v1/hosts/{hostname}/gpus": () =>
      counted(gateway.GET("/api/v1/hosts/{hostname}/gpus", { params: { path: { hostname: host_id } } })),
    "get /api/v1/telemetry": () => counted(gateway.GET("/api/v1/telemetry", { params: { query: { limit: 10_000 } } })),
    "post /api/v1/telemetry": () => counted(gateway.POST("/api/v1/telemetry", { body: [] })),
    "post /api/v1/write": async () => {
      const { response } = await gateway.POST("/api/v1/write", noSeries);
      return response.status;
    },
    "post /v1/metrics": async () =>
      Object.keys(await answerOf(gateway.POST("/v1/metrics", { body: { resourceMetrics: [] } }))).length,
    "get /api/v1/telemetry/latest": () =>
      counted(gateway.GET("/api/v1/telemetry/latest", { params: { query: { limit: 10_000 } } })),
    "get /api/v1/telemetry/aggregates": () =>
      counted(gateway.GET("/api/v1/telemetry/aggregates", { params: { query: { group_by: "host", ...window } } })),
    "get /api/v1/metrics": () => counted(gateway.GET("/api/v1/metrics")),
    "get /api/v1/metrics/series": () => counted(gateway.GET("/api/v1/metrics/series")),
    "get /api/v1/services": () => counted(gateway.GET("/api/v1/services")),
    "get /api/v1/targets": () => counted(gateway.GET("/api/v1/targets")),
    "get /api/v1/usage": () => counted(gateway.GET("/api/v1/usage", { params: { query: window } })),
    "get /api/v1/usage/jobs": () => counted(gateway.GET("/api/v1/usage/jobs", { params: { query: window } })),
    "get /api/v1/gpus/{uuid}/holders": () =>
      counted(gateway.GET("/api/v1/gpus/{uuid}/holders", { params: { path: { uuid }, query: window } })),
    "get /api/v1/coverage": () => counted(gateway.GET("/api/v1/coverage", { params: { query: window } })),
    ...promqlCalls(gateway),
    ...inventoryCalls(gateway, cluster_id),
    ...faultCalls(gateway, cluster_id),
    "post /api/v1/csv/upload": () => counted(gateway.POST("/api/v1/csv/upload", noTable)),
    "get /api/v1/csv/uploads": () => counted(gateway.GET("/api/v1/csv/uploads")),
    "get /api/v1/csv/uploads/{id}": () => countIfFound(gateway.GET("/api/v1/csv/uploads/{id}", noUpload)),
    "delete /api/v1/csv/uploads/{id}": () => countIfFound(gateway.DELETE("/api/v1/csv/uploads/{id}", noUpload)),
    "get /api/v1/quarantine": () => counted(gateway.GET("/api/v1/quarantine")),
    "post /api/v1/quarantine/{id}/redrive": () =>
      countIfFound(gateway.POST("/api/v1/quarantine/{id}/redrive", noRejection)),
    "delete /api/v1/quarantine/{id}": () => countIfFound(gateway.DELETE("/api/v1/quarantine/{id}", noRejection)),
    "get /api/v1/pipeline": async () => (await answerOf(gateway.GET("/api/v1/pipeline"))).data.queue.dead,
    "get /api/v1/scaling": async () => (await answerOf(gateway.GET("/api/v1/scaling"))).data.decisions.length,
    "get /api/v1/scaling/{figure}": () => figureIfKnown(gateway, "backlog"),
    "get /api/v1/pipeline/dead-letters": () => counted(gateway.GET("/api/v1/pipeline/dead-letters")),
    "get /api/v1/pipeline/dead-letters/{id}": () =>
      countIfFound(gateway.GET("/api/v1/pipeline/dead-letters/{id}", noLetter)),
    "delete /api/v1/pipeline/dead-letters/{id}": () =>
      countIfFound(gateway.DELETE("/api/v1/pipeline/dead-letters/{id}", noLetter)),
    "get /api/v1/archive": () => counted(gateway.GET("/api/v1/archive")),
    "get /api/v1/audit": () => counted(gateway.GET("/api/v1/audit")),
    "get /api/v1/me": () => counted(gateway.GET("/api/v1/me")),
    "get /api/v1/sessions": () => counted(gateway.GET("/api/v1/sessions")),
    "delete /api/v1/sessions/{session_id}": () =>
      countIfFound(gateway.DELETE("/api/v1/sessions/{session_id}", { params: { path: { session_id: "none" } } })),
    "get /api/v1/keys": () => counted(gateway.GET("/api/v1/keys")),
    "post /api/v1/keys": () =>
      counted(gateway.POST("/api/v1/keys", { params: { query: { name: "ci", scopes: "read" } } })),
    "delete /api/v1/keys/{key_id}": () => countIfFound(gateway.DELETE("/api/v1/keys/{key_id}", noKey)),
    "post /api/v1/keys/{key_id}/rotate": () => countIfFound(gateway.POST("/api/v1/keys/{key_id}/rotate", noKey)),
    "post /api/v1/tickets": () => counted(gateway.POST("/api/v1/tickets")),
    "post /api/v1/pipeline/dead-letters/{id}/redrive": () =>
      countIfFound(gateway.POST("/api/v1/pipeline/dead-letters/{id}/redrive", noLetter)),
  };
}

type FaultOperation = Extract<Operation, `${string} /api/v1/${"faults" | "remediations" | "silences"}${string}`>;

/** Reads faults, and gives orders about what is not there. */
function faultCalls(gateway: GatewayClient, cluster_id: string): Record<FaultOperation, () => Promise<number>> {
  const counted = async (call: Parameters<typeof answerOf<{ count: number }>>[0]) => (await answerOf(call)).count;
  const none = { params: { path: { id: "none@none@0" } } };
  const end_time = new Date(Date.now() + 60_000).toISOString();
  const silence = { params: { query: { hostname: "not-there-yet", reason: "ci", end_time } } };
  const reboot = { params: { query: { kind: "reboot" as const, cluster_id, hostname: "none" } } };
  return {
    "get /api/v1/faults": () => counted(gateway.GET("/api/v1/faults")),
    "get /api/v1/faults/{id}": () => countIfFound(gateway.GET("/api/v1/faults/{id}", none)),
    "post /api/v1/faults/{id}/acknowledge": () => countIfFound(gateway.POST("/api/v1/faults/{id}/acknowledge", none)),
    "post /api/v1/remediations": () => countIfFound(gateway.POST("/api/v1/remediations", reboot)),
    "get /api/v1/silences": () => counted(gateway.GET("/api/v1/silences")),
    "post /api/v1/silences": () => counted(gateway.POST("/api/v1/silences", silence)),
    "delete /api/v1/silences/{id}": () =>
      countIfFound(gateway.DELETE("/api/v1/silences/{id}", { params: { path: { id: 999_999 } } })),
    "get /api/v1/faults/rules": () => counted(gateway.GET("/api/v1/faults/rules")),
    "get /api/v1/faults/xids": () => counted(gateway.GET("/api/v1/faults/xids")),
  };
}

type PromqlOperation = Extract<
  Operation,
  `${string} /api/v1/${"query" | "series" | "label" | "metadata" | "status" | "rules" | "alerts"}${string}`
>;

/** Asks as Grafana asks a Prometheus. */
function promqlCalls(gateway: GatewayClient): Record<PromqlOperation, () => Promise<number>> {
  const query = { query: "DCGM_FI_DEV_GPU_UTIL", time: "2025-07-18T20:42:40Z" };
  const range = { query: query.query, start: "2025-07-18T20:42:00Z", end: "2025-07-18T20:43:00Z", step: "15" };
  const match = { "match[]": [query.query] };
  const asForm = {
    bodySerializer: (body: Readonly<Record<string, unknown>>) => new URLSearchParams(body as Record<string, string>),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  };
  const named = { params: { path: { name: "gpu" } } };
  return {
    "get /api/v1/query": async () =>
      (await answerOf(gateway.GET("/api/v1/query", { params: { query } }))).data.result.length,
    "post /api/v1/query": async () =>
      (await answerOf(gateway.POST("/api/v1/query", { body: query, ...asForm }))).data.result.length,
    "get /api/v1/query_range": async () =>
      (await answerOf(gateway.GET("/api/v1/query_range", { params: { query: range } }))).data.result.length,
    "post /api/v1/query_range": async () =>
      (await answerOf(gateway.POST("/api/v1/query_range", { body: range, ...asForm }))).data.result.length,
    "get /api/v1/series": async () =>
      (await answerOf(gateway.GET("/api/v1/series", { params: { query: match } }))).data.length,
    "post /api/v1/series": async () =>
      (await answerOf(gateway.POST("/api/v1/series", { body: match, ...asForm }))).data.length,
    "get /api/v1/labels": async () => (await answerOf(gateway.GET("/api/v1/labels"))).data.length,
    "post /api/v1/labels": async () =>
      (await answerOf(gateway.POST("/api/v1/labels", { body: match, ...asForm }))).data.length,
    "get /api/v1/label/{name}/values": async () =>
      (await answerOf(gateway.GET("/api/v1/label/{name}/values", named))).data.length,
    "get /api/v1/metadata": async () => Object.keys((await answerOf(gateway.GET("/api/v1/metadata"))).data).length,
    "get /api/v1/status/buildinfo": async () =>
      Object.keys((await answerOf(gateway.GET("/api/v1/status/buildinfo"))).data).length,
    "get /api/v1/rules": async () => (await answerOf(gateway.GET("/api/v1/rules"))).data.groups.length,
    "get /api/v1/alerts": async () => (await answerOf(gateway.GET("/api/v1/alerts"))).data.alerts.length,
    "get /api/v1/query_exemplars": async () =>
      (await answerOf(gateway.GET("/api/v1/query_exemplars", { params: { query } }))).data.length,
    "post /api/v1/query_exemplars": async () =>
      (await answerOf(gateway.POST("/api/v1/query_exemplars", { body: query, ...asForm }))).data.length,
  };
}

type InventoryOperation = Extract<Operation, `${string} /api/v1/inventory${string}`>;

/** Declares a host and puts it through every state. */
function inventoryCalls(gateway: GatewayClient, cluster_id: string): Record<InventoryOperation, () => Promise<number>> {
  const host = { params: { query: { cluster_id, hostname: "not-there-yet" } } };
  const declared = { params: { query: { ...host.params.query, gpus: 8 } } };
  const counted = async (call: Parameters<typeof answerOf<{ count: number }>>[0]) => (await answerOf(call)).count;
  return {
    "get /api/v1/inventory": () => counted(gateway.GET("/api/v1/inventory")),
    "post /api/v1/inventory/declare": () => counted(gateway.POST("/api/v1/inventory/declare", declared)),
    "post /api/v1/inventory/maintenance": () => counted(gateway.POST("/api/v1/inventory/maintenance", host)),
    "post /api/v1/inventory/decommission": () => counted(gateway.POST("/api/v1/inventory/decommission", host)),
    "post /api/v1/inventory/restore": () => counted(gateway.POST("/api/v1/inventory/restore", host)),
    "post /api/v1/inventory/end-target": () =>
      countIfFound(
        gateway.POST("/api/v1/inventory/end-target", { params: { query: { source_id: "scrape:lab:none:9400" } } }),
      ),
    "delete /api/v1/inventory": () => counted(gateway.DELETE("/api/v1/inventory", host)),
  };
}
