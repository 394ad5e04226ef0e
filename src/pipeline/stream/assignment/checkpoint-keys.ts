import { pipelineRoot } from "../../../etcd/pipeline-root.ts";

/** The etcd keys of a replayable source in a pipeline; docs/ETCD_MESSAGE_QUEUE.md explains them. */
export class CheckpointKeys {
  /** What all keys of the source begin with. */
  readonly all: string;
  /** How far the source is divided into ranges. */
  readonly plan: string;
  readonly ranges: string;
  readonly owners: string;
  /** Exists while a streamer divides the source. It is named `cutter`, because older versions of this program use that name. */
  readonly planner: string;

  constructor(topic: string, sourceId: string) {
    const root = checkpointRoot(topic, sourceId);
    this.all = root;
    this.plan = `${root}plan`;
    this.ranges = `${root}ranges/`;
    this.owners = `${root}owners/`;
    this.planner = `${root}cutter`;
  }

  range(fromOffset: number): string {
    return this.ranges + padded(fromOffset);
  }

  owner(fromOffset: number): string {
    return this.owners + padded(fromOffset);
  }
}

/** The etcd keys of a file in a pipeline. */
export class FileKeys {
  /** What all keys of the file begin with: its plan, or its rounds. */
  readonly all: string;
  /** Which content the id belongs to, if the id does not say so. */
  readonly content: string;

  constructor(topic: string, fileId: string) {
    this.all = checkpointRoot(topic, fileId);
    this.content = `${this.all}content`;
  }
}

/** The etcd keys of a live source in a pipeline: its owner, the time of its latest published batch, and, of a target, its series then. */
export class LiveKeys {
  readonly owner: string;
  readonly latest: string;
  readonly series: string;

  constructor(topic: string, sourceId: string) {
    const root = checkpointRoot(topic, sourceId);
    this.owner = `${root}live/owner`;
    this.latest = `${root}${latestName}`;
    this.series = `${root}live/series`;
  }
}

const latestName = "live/latest";

/** The id of the live source whose position a key of the pipeline has; undefined if it is another key. */
export function sourceOfLatest(topic: string, key: string): string | undefined {
  const [source, ...rest] = key.slice(checkpointsPrefix(topic).length).split("/");
  return source !== undefined && rest.join("/") === latestName ? decodeURIComponent(source) : undefined;
}

/** The prefix of the checkpoints and owners of all sources in a pipeline. */
export function checkpointsPrefix(topic: string): string {
  return `${pipelineRoot(topic)}/checkpoints/`;
}

function checkpointRoot(topic: string, sourceId: string): string {
  return `${checkpointsPrefix(topic)}${encodeURIComponent(sourceId)}/`;
}

/** Zero-padded, so that etcd sorts the keys by offset; 2^53 has 16 digits. */
function padded(offset: number): string {
  return String(offset).padStart(16, "0");
}
