import { type Static, Type } from "@sinclair/typebox";

const wholeNumber = (description: string, bounds: { readonly minimum?: number; readonly maximum?: number } = {}) =>
  Type.Number({ multipleOf: 1, minimum: 0, ...bounds, description });
const figure = (description: string) => Type.Optional(Type.Number({ minimum: 0, description }));
const wholeFigure = (description: string) => Type.Optional(wholeNumber(description));
const instant = (description: string) =>
  Type.String({ format: "date-time", description, examples: ["2025-07-18T20:42:34Z"] });

const loadSchema = Type.Object(
  {
    samples_per_second: figure(
      "Samples per second over the last 4 to 9 s: those that a collector stored; without a collector, those that a streamer published",
    ),
    published_messages_per_second: figure("Messages per second that a streamer put into the queue"),
    stored_messages_per_second: figure("Messages per second that a collector stored"),
    cpu_percent: figure("Processor time of the process; 100 is one core"),
    rss_bytes: wholeFigure("Resident memory of the process"),
    lag_seconds: figure("Age of the oldest message in the collector's queue; 0 if the queue is empty"),
    in_flight: wholeFigure("Messages that a collector has claimed and not yet settled"),
    clients: wholeFigure("Open WebSockets and requests in progress of a gateway"),
    latency_ms_p95: figure(
      "95th percentile of the time that a gateway took to answer a request; absent if there was none",
    ),
    targets: wholeFigure("Live sources that a streamer reads"),
    ranges: figure(
      "Ranges of a file that no streamer has read yet, divided among the streamers that read it; 0 if this one does not read",
    ),
  },
  { additionalProperties: false, description: "The load of a process. A figure that is unknown is absent, never 0" },
);

/** What a process says about itself in the registry: the value of its key in etcd, and an element of /api/v1/services. */
export const serviceInstanceSchema = Type.Object(
  {
    instance_id: Type.String({ description: "Identifies the process: no two processes ever have the same" }),
    name: Type.String({ description: "INSTANCE_NAME; instance_id if that is not set" }),
    roles: Type.Array(Type.String(), { description: "Roles that the process runs" }),
    state: Type.Union(
      [Type.Literal("starting"), Type.Literal("ready"), Type.Literal("unready"), Type.Literal("draining")],
      {
        description:
          "starting: not yet listening; ready, unready: as /health/ready says; draining: the process is about to stop",
      },
    ),
    health: Type.Union([Type.Literal("ok"), Type.Literal("degraded"), Type.Literal("down")], {
      description: "The status of /health",
    }),
    errors: Type.Array(Type.String(), { description: "The reason of each part of the process that is not ok" }),
    address: Type.String({ description: "Host name or IP address at which other processes reach the process" }),
    port: wholeNumber("Port that the process listens on", { minimum: 1, maximum: 65_535 }),
    url: Type.String({ description: "URL of the process for other processes of the pipeline" }),
    external_url: Type.Optional(
      Type.String({ description: "URL of the process from outside; absent if EXTERNAL_SERVICE_ADDRESS is not set" }),
    ),
    host: Type.String({ description: "Name of the host that the process runs on" }),
    pid: wholeNumber("Id of the process on its host", { minimum: 1 }),
    version: Type.String({ description: "Version of the program" }),
    topic: Type.String({ description: "QUEUE_TOPIC of the pipeline" }),
    cluster_id: Type.String({ description: "Cluster that the process's input belongs to" }),
    started_at: instant("When the process started"),
    updated_at: instant("When the process last reported"),
    load: loadSchema,
  },
  {
    $id: "ServiceInstance",
    additionalProperties: false,
    description: "A running process of the pipeline",
    examples: [
      {
        instance_id: "mtv5-a:4711:3f9c",
        name: "collector-2",
        roles: ["collector"],
        state: "ready",
        health: "ok",
        errors: [],
        address: "10.1.2.3",
        port: 9201,
        url: "http://10.1.2.3:9201",
        host: "mtv5-a",
        pid: 4711,
        version: "0.1.0",
        topic: "telemetry",
        cluster_id: "local-cluster",
        started_at: "2025-07-18T20:42:34Z",
        updated_at: "2025-07-18T20:50:00Z",
        load: {
          samples_per_second: 41200,
          stored_messages_per_second: 8.2,
          cpu_percent: 63.1,
          rss_bytes: 201326592,
          lag_seconds: 0.4,
          in_flight: 8,
        },
      },
    ],
  },
);

export type ServiceInstance = Static<typeof serviceInstanceSchema>;
export type ServiceLoad = Static<typeof loadSchema>;
