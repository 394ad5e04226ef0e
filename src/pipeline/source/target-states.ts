import { type Static, Type } from "@sinclair/typebox";

const wholeNumber = (description: string) => Type.Number({ multipleOf: 1, minimum: 0, description });
const instant = (description: string) =>
  Type.String({ format: "date-time", description, examples: ["2025-07-18T20:42:34Z"] });

/** The states of a target. */
export const targetStateNames = ["up", "down", "waiting"] as const;

/** The kinds of live sources. */
export const targetKinds = ["exporter", "nvidia_smi", "simulated"] as const;

/** A label of a target. */
const targetLabelSchema = Type.Object(
  { name: Type.String({ description: "Name of the label" }), value: Type.String({ description: "Its value" }) },
  {
    $id: "TargetLabel",
    additionalProperties: false,
    description: "A label that a target's discovery gives it",
    examples: [{ name: "rack", value: "r1" }],
  },
);

/** A scrape that was missed. */
const targetErrorSchema = Type.Object(
  {
    at: instant("Scheduled time of the scrape"),
    reason: Type.String({ description: "Why it was missed: timeout, refused, http_status ..." }),
    message: Type.String({ description: "The error in words" }),
  },
  {
    $id: "TargetError",
    additionalProperties: false,
    description:
      "The last scrape that a target has failed; those that the pipeline missed for a reason of its own do not count",
    examples: [{ at: "2025-07-18T20:42:19Z", reason: "http_status", message: "HTTP 500, after 0.2 s" }],
  },
);

/** Readings that were missed for one reason. */
const targetGapsSchema = Type.Object(
  {
    reason: Type.String({ description: "Why they were missed: timeout, memory_full ..." }),
    count: wholeNumber("Number of these readings"),
  },
  {
    $id: "TargetGaps",
    additionalProperties: false,
    description: "The scheduled readings of a target that were missed for one reason",
    examples: [{ reason: "http_status", count: 2 }],
  },
);

/** What a streamer says about a target or another live source: an element of /api/v1/targets. */
export const targetStateSchema = Type.Object(
  {
    source_id: Type.String({ description: "Identifies the target's source: cluster and target" }),
    kind: Type.Union([Type.Literal("exporter"), Type.Literal("nvidia_smi"), Type.Literal("simulated")], {
      description: "exporter: it is scraped; nvidia_smi: the GPUs of a machine; simulated: the simulated fleet",
    }),
    target: Type.String({
      description:
        "Of an exporter, host:port, or the URL of a target that is not http://host:port/metrics; of nvidia_smi, the host; of the " +
        "simulated fleet, its size",
    }),
    cluster_id: Type.String({ description: "Cluster that the target's GPUs belong to" }),
    labels: Type.Array(targetLabelSchema, { description: "Labels of the target, from DCGM_TARGETS_FILE" }),
    state: Type.Union([Type.Literal("up"), Type.Literal("down"), Type.Literal("waiting")], {
      description:
        "up, down: by its last scrape, except those that the pipeline missed for a reason of its own; waiting: this streamer has not scraped it yet, or another streamer reads it",
    }),
    since: instant("When the target got this state"),
    message: Type.String({ description: "The state in words: what the last scrape read, or why it failed" }),
    warning: Type.Optional(
      Type.String({
        description:
          "Further problems: times of samples, repeated readings, or scrapes that the pipeline itself has missed in the last 5 " +
          "minutes; absent: nothing",
      }),
    ),
    streamer: Type.String({ description: "Name of the process that reads the target, or waits for it" }),
    interval_ms: wholeNumber("Time from one scheduled scrape to the next"),
    dialect: Type.Optional(Type.String({ description: "Dialect of the metrics' names; absent until it is known" })),
    last_scrape_at: Type.Optional(instant("Scheduled time of the last scrape")),
    last_read_at: Type.Optional(instant("Scheduled time of the last scrape that was read")),
    duration_ms: Type.Optional(wholeNumber("How long the last scrape took")),
    devices: wholeNumber("GPUs and MIG instances of the last scrape that was read"),
    samples: wholeNumber("Samples of the last scrape that was read"),
    ignored: wholeNumber("Samples of the last scrape that do not describe GPUs"),
    rejected: wholeNumber("Lines of the last scrape that could not be used"),
    undecided: wholeNumber("Samples of the last scrape whose unit is not known yet"),
    frozen: wholeNumber(
      "Devices whose readings the exporter repeats: all fast series of a busy one have had the same value for long, or all samples the same old time",
    ),
    scrapes: wholeNumber("Scrapes that were read since the process began to read the target"),
    gaps: wholeNumber(
      "Scheduled scrapes that were missed since then, including those that were read and then dropped because nothing could be published",
    ),
    gap_reasons: Type.Array(targetGapsSchema, { description: "The gaps by reason" }),
    consecutive_failures: wholeNumber("Scrapes in a row that the target has failed, up to the last"),
    last_error: Type.Optional(targetErrorSchema),
  },
  {
    $id: "Target",
    additionalProperties: false,
    description: "An exporter that the pipeline scrapes, or another live source that it reads",
    examples: [
      {
        source_id: "scrape:local-cluster:mtv5-dgx1-hgpu-001:9400",
        kind: "exporter",
        target: "mtv5-dgx1-hgpu-001:9400",
        cluster_id: "local-cluster",
        labels: [{ name: "rack", value: "r1" }],
        state: "up",
        since: "2025-07-18T20:42:34Z",
        message: "8 devices, 208 samples in 12 ms",
        streamer: "streamer-1",
        interval_ms: 15000,
        dialect: "dcgm",
        last_scrape_at: "2025-07-18T20:50:04Z",
        last_read_at: "2025-07-18T20:50:04Z",
        duration_ms: 12,
        ...{ devices: 8, samples: 208, ignored: 31, rejected: 0, undecided: 0, frozen: 0 },
        ...{ scrapes: 31, gaps: 0, gap_reasons: [], consecutive_failures: 0 },
      },
    ],
  },
);

export type TargetState = Static<typeof targetStateSchema>;

/** The states of all targets at an instant. */
export interface ListedTargets {
  /** In the order of cluster and target: one state for each. */
  readonly targets: readonly TargetState[];
  /** When the states were read, milliseconds since the epoch. */
  readonly asOfMs: number;
}

/** What the streamers of a pipeline say about their targets. */
export interface TargetStates {
  /** @throws an error of the driver */
  list(): Promise<ListedTargets>;
  /** Replaces what this process has said before. What a process that dies has said disappears when its lease ends.
   *  @throws an error of the driver; a part of the states may have been replaced */
  report(states: readonly TargetState[]): Promise<void>;
  /** Withdraws what this process has said. Idempotent; `report` does nothing after that. */
  close(): Promise<void>;
}

const byName = new Intl.Collator("en", { numeric: true });

/** One state for each target, in the order of cluster and target: that of the process that reads the target now. Of several that
 *  have read it, that of the newest scrape; of several that wait, any.
 *  @param states of all processes */
export function newestStates(states: Iterable<TargetState>): readonly TargetState[] {
  const newest = new Map<string, TargetState>();
  for (const state of states) {
    const other = newest.get(state.source_id);
    if (other === undefined || isNewer(state, other)) newest.set(state.source_id, state);
  }
  return [...newest.values()].sort((a, b) => compareTargetPlaces(targetPlace(a), targetPlace(b)));
}

/** A target's place in the list. */
export type TargetPlace = readonly [cluster: string, target: string, sourceId: string];

/** The place of a target in the list. */
export function targetPlace({ cluster_id: cluster, target, source_id: sourceId }: TargetState): TargetPlace {
  return [cluster, target, sourceId];
}

/** The order of the list: by cluster, then by target, with numbers by their values. */
export function compareTargetPlaces(a: TargetPlace, b: TargetPlace): number {
  const [byCluster, byTarget] = [byName.compare(a[0], b[0]), byName.compare(a[1], b[1])];
  if (byCluster !== 0 || byTarget !== 0) return byCluster || byTarget;
  // names such as a1 and a01 are equal for people
  return a[2] < b[2] ? -1 : Number(a[2] > b[2]);
}

function isNewer(state: TargetState, other: TargetState): boolean {
  if ((state.state === "waiting") !== (other.state === "waiting")) return other.state === "waiting";
  return (state.last_scrape_at ?? "") > (other.last_scrape_at ?? "");
}
