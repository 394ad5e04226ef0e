import { defaultBatchSize } from "../config/settings/input-settings.ts";
import { EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import { EtcdAssignment } from "../pipeline/stream/assignment/etcd-assignment.ts";
import { EtcdLiveAssignment } from "../pipeline/stream/assignment/etcd-live-assignment.ts";
import { EtcdFileIds } from "../pipeline/stream/assignment/etcd-file-ids.ts";
import type { LiveAssignment } from "../pipeline/stream/assignment/live-assignment.ts";
import { LocalAssignment } from "../pipeline/stream/assignment/local-assignment.ts";
import { localFileId } from "../pipeline/stream/assignment/local-file-ids.ts";
import { LocalLiveAssignment } from "../pipeline/stream/assignment/local-live-assignment.ts";
import type { RangeAssignment } from "../pipeline/stream/assignment/range-assignment.ts";
import type { ChooseId } from "../pipeline/source/file-ids.ts";
import { BatchPublisher, type BatchPublisherOptions } from "../pipeline/stream/batch-publisher.ts";
import { LiveStream } from "../pipeline/stream/live-stream.ts";
import { showPace } from "../pipeline/stream/pace-instrument.ts";
import { ReplayStream } from "../pipeline/stream/replay-stream.ts";
import type { SourceStream } from "../pipeline/stream/source-stream.ts";
import { StreamRetries } from "../pipeline/stream/stream-retries.ts";
import { Streamer } from "../pipeline/stream/streamer.ts";
import type { ServiceLoad } from "../scaling/registry/service-instance.ts";
import { SharedTargets } from "../pipeline/stream/targets/shared-targets.ts";
import { EtcdOldPositions } from "../pipeline/stream/assignment/etcd-old-positions.ts";
import { EtcdTargetAssignment } from "../pipeline/stream/assignment/etcd-target-assignment.ts";
import { LocalTargetAssignment } from "../pipeline/stream/assignment/local-target-assignment.ts";
import type { TargetAssignment } from "../pipeline/stream/assignment/target-assignment.ts";
import { TargetReporter } from "../pipeline/source/states/target-reporter.ts";
import type { TargetState } from "../pipeline/source/target-states.ts";
import { defined } from "../kit/defined.ts";
import { gapCounter } from "../pipeline/observe/gap-counter.ts";
import { PositionUpkeep } from "../pipeline/stream/position-upkeep.ts";
import { openInputs, type StreamedInput } from "./open-source.ts";
import type { Role } from "./role.ts";
import { publishingOf } from "./publishing.ts";
import type { SharedParts } from "./shared-parts.ts";

/** Reads sources and publishes them to the queue. */
export const streamer: Role = {
  name: "streamer",
  writesHotTier: false,
  async open(shared) {
    const { config, log } = shared;
    const inputs = await openInputs(config, inputParts(shared));
    const retries = new StreamRetries(shared);
    const publishing = publishingOf(shared, retries, defaultBatchSize);
    showPace(publishing.backPressure, shared.registry);
    const publisher = new BatchPublisher(publishing);
    const streams: OpenStream[] = [];
    for (const input of inputs) {
      streams.push({ input, stream: await streamOf(input, { shared, publishing, publisher, retries }) });
    }
    return {
      services: [
        ...streams.map(({ input: { name, error: sourceError, activity: sourceActivity }, stream }) => {
          return new Streamer({
            name,
            stream,
            publisher,
            retries,
            sourceError,
            log,
            ...defined({ sourceActivity }),
          });
        }),
        ...reporterOf(inputs, shared),
        ...positionUpkeep(shared),
      ],
      banner: { pages: [], facts: inputs.map((input) => ["source", descriptionOf(input)]) },
      servesFromMemory: () => false,
      load: () => Promise.resolve(loadOf(streams)),
      routes: () => [],
    };
  },
};

/** An input and the stream that reads it. */
interface OpenStream {
  readonly input: StreamedInput;
  readonly stream: SourceStream;
}

function descriptionOf(input: StreamedInput): string {
  if (input.kind === "targets") return input.targets.description;
  return input.kind === "live" ? input.source.description : input.description;
}

/** The service that reports what this process knows about its live sources, if it has any. */
function reporterOf(
  inputs: readonly StreamedInput[],
  { targetStates: states, clock, log }: SharedParts,
): TargetReporter[] {
  if (inputs.every(({ kind }) => kind === "replayable")) return [];
  return [new TargetReporter({ states, read: () => inputs.flatMap(statesOf), clock, log })];
}

/** Live sources have positions in etcd. */
function positionUpkeep({ etcd, config: { queueTopic }, clock, log }: SharedParts): PositionUpkeep[] {
  if (etcd === undefined) return [];
  return [new PositionUpkeep({ positions: new EtcdOldPositions(etcd, queueTopic), clock, log })];
}

function statesOf(input: StreamedInput): readonly TargetState[] {
  if (input.kind === "targets") return input.targets.states();
  return input.kind === "live" ? [input.source.state()] : [];
}

/** What the streams have to read now: targets of live sources, ranges of files. */
function loadOf(streams: readonly OpenStream[]): Pick<ServiceLoad, "targets" | "ranges"> {
  const shareOf = (...kinds: StreamedInput["kind"][]): number | undefined => {
    const ofKinds = streams.filter(({ input }) => kinds.includes(input.kind));
    return ofKinds.length === 0 ? undefined : ofKinds.reduce((sum, { stream }) => sum + stream.share, 0);
  };
  return defined({ targets: shareOf("live", "targets"), ranges: shareOf("replayable") });
}

interface StreamParts {
  readonly shared: SharedParts;
  readonly publishing: BatchPublisherOptions;
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
}

async function streamOf(input: StreamedInput, parts: StreamParts): Promise<SourceStream> {
  const { shared, publishing, publisher, retries } = parts;
  const { config, clock, listener, log, tracing } = shared;
  if (input.kind === "live") {
    const assignment = await openLiveAssignment(shared);
    return new LiveStream({ source: input.source, assignment, publisher, retries, clock, log, tracing });
  }
  if (input.kind === "targets") {
    const assignment = await openTargetAssignment(shared, retries);
    const bufferBytes = config.scrapeBufferMebibytes * 1024 * 1024;
    return new SharedTargets({ ...publishing, targets: input.targets, assignment, bufferBytes, log, tracing });
  }
  const assignment = await openRangeAssignment(shared);
  const { openRound: openSource } = input;
  const { streamIntervalMs: intervalMs } = config;
  const reading = { openSource, assignment, publisher, retries, intervalMs };
  return new ReplayStream({ ...reading, clock, listener, log, tracing });
}

function inputParts(shared: SharedParts): Parameters<typeof openInputs>[1] {
  const { config, etcd, clock, log, instanceId, registry } = shared;
  const rounds = etcd === undefined ? undefined : new EtcdRounds(etcd, clock, config.queueTopic);
  return { clock, log, rounds, chooseFileId: fileIdsOf(shared), instanceId, onMissed: gapCounter(registry) };
}

/** With etcd, streamers that share a file agree on its id. Without etcd, the store tells which id the file has. */
function fileIdsOf({ etcd, store, config: { queueTopic } }: SharedParts): ChooseId {
  if (etcd === undefined) return async (ids) => localFileId(ids, (await store.open()).store);
  const shared = new EtcdFileIds(etcd, queueTopic);
  return (ids) => shared.choose(ids);
}

/** With etcd, streamers share a source range by range. Without etcd, the store determines which ranges are left. */
async function openRangeAssignment(shared: SharedParts): Promise<RangeAssignment> {
  const { config, etcd, store, clock, log, instanceId: streamerId } = shared;
  if (etcd === undefined) return new LocalAssignment((await store.open()).store);
  const { queueTopic: topic, clusterId, queueLeaseSeconds: leaseSeconds, sourceRangeMebibytes } = config;
  const rangeBytes = sourceRangeMebibytes * 1024 * 1024;
  return new EtcdAssignment({ client: etcd, topic, clusterId, clock, log, streamerId, leaseSeconds, rangeBytes });
}

/** With etcd, one streamer at a time owns a live source. Without etcd, the store gives the time of the last batch. */
async function openLiveAssignment(shared: SharedParts): Promise<LiveAssignment> {
  const { config, etcd, store, clock, instanceId: streamerId } = shared;
  if (etcd === undefined) return new LocalLiveAssignment((await store.open()).store, clock);
  const { queueTopic: topic, queueLeaseSeconds: leaseSeconds } = config;
  return new EtcdLiveAssignment({ client: etcd, topic, clock, streamerId, leaseSeconds });
}

/** With etcd, streamers share the targets of exporters. Without etcd, this process has all of them. */
async function openTargetAssignment(shared: SharedParts, retries: StreamRetries): Promise<TargetAssignment> {
  const { config, etcd, store, clock, instanceId: streamerId } = shared;
  if (etcd === undefined) return new LocalTargetAssignment({ store: (await store.open()).store, clock, retries });
  const { queueTopic: topic, queueLeaseSeconds: leaseSeconds } = config;
  return new EtcdTargetAssignment({ client: etcd, topic, clock, streamerId, leaseSeconds, retries });
}
