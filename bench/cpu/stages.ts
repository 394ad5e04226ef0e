import { readFileSync } from "node:fs";

/** A stage of the pipeline, and the files whose functions belong to it. */
interface Stage {
  readonly name: string;
  readonly files: RegExp;
}

/** A sample belongs to the stage of its innermost function that is in one of these files. */
const stages: readonly Stage[] = [
  { name: "plan ranges", files: /source\/csv\/row-ends|stream\/assignment\// },
  { name: "build", files: /domain\/(batch-builder|building\/|fold|merged-values|used-dictionaries)/ },
  { name: "parse", files: /pipeline\/source\// },
  { name: "encode, decode", files: /domain\/schema\/|queue\/batch-codec|domain\/block\// },
  { name: "hot tier", files: /pipeline\/hot\// },
  { name: "publish", files: /queue\/etcd\/publish|pipeline\/stream\// },
  { name: "claim, acknowledge", files: /pipeline\/queue\// },
  { name: "write", files: /src\/db\/|node_modules\/(postgres|@electric-sql)\// },
  { name: "merge", files: /pipeline\/store\// },
  { name: "collector", files: /pipeline\/collect\// },
];

/** For samples in none of the stages: the function's kind, looked for in the same way. */
const fallbacks: readonly Stage[] = [
  {
    name: "etcd client",
    files: /src\/etcd\/|node_modules\/(etcd3|@grpc|protobufjs|long)\/|node:_?http2|internal:http2/,
  },
  {
    name: "clock, log, metrics",
    files: /src\/(kit|terminal|scaling|pipeline\/observe)\/|node_modules\/(pino|prom-client)/,
  },
  { name: "modules", files: /^\[require\]$/ },
];

interface Profile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds since the epoch. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds since the previous sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: { readonly functionName: string; readonly url: string };
}

/** Sums the time in which JavaScript ran, by stage. A gap between two samples is a time without JavaScript.
 *  @param path a profile that Bun has written (Chrome's format)
 *  @param sinceMs milliseconds since the epoch; earlier samples are left out
 *  @returns seconds by stage */
export function stageSeconds(path: string, sinceMs: number): Map<string, number> {
  const profile = JSON.parse(readFileSync(path, "utf8")) as Profile;
  const stageOf = stageFinder(profile.nodes);
  const steps = profile.timeDeltas.toSorted((a, b) => a - b);
  const usualUs = steps[Math.floor(steps.length / 2)] ?? 0;
  const seconds = new Map<string, number>();
  let atUs = profile.startTime;
  profile.samples.forEach((node, index) => {
    const step = profile.timeDeltas[index] ?? 0;
    atUs += step;
    if (atUs < sinceMs * 1000) return;
    const stage = stageOf(node);
    seconds.set(stage, (seconds.get(stage) ?? 0) + Math.min(step, usualUs * 1.5) / 1e6);
  });
  return seconds;
}

function stageFinder(nodes: readonly ProfileNode[]): (node: number) => string {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const found = new Map<number, string>();
  return (node) => {
    const known = found.get(node);
    if (known !== undefined) return known;
    const places: string[] = [];
    for (let at: number | undefined = node; at !== undefined; at = parents.get(at)) {
      const frame = byId.get(at)?.callFrame;
      places.push(frame?.functionName === "require" ? "[require]" : (frame?.url ?? ""));
    }
    const stage = stageAt(places, stages) ?? stageAt(places, fallbacks) ?? "JavaScript, other";
    found.set(node, stage);
    return stage;
  };
}

/** @param places the files of the functions, the innermost first */
function stageAt(places: readonly string[], among: readonly Stage[]): string | undefined {
  for (const place of places) {
    const stage = among.find(({ files }) => files.test(place));
    if (stage !== undefined) return stage.name;
  }
  return undefined;
}
