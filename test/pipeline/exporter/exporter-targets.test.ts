import { expect, test } from "bun:test";
import pino from "pino";
import { aborted } from "../../../src/kit/aborted.ts";
import type { TargetDiscovery } from "../../../src/pipeline/source/exporter/discovery/target-discovery.ts";
import { ExporterSource } from "../../../src/pipeline/source/exporter/exporter-source.ts";
import { ExporterTargets } from "../../../src/pipeline/source/exporter/exporter-targets.ts";
import { readTarget, type Target } from "../../../src/pipeline/source/exporter/target.ts";
import type { SourcesChange } from "../../../src/pipeline/source/target-sources.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { LineReader } from "./line-reader.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const targetsOf = (...entries: (readonly [address: string, labels?: Record<string, string>])[]): Target[] =>
  entries.map(([address, labels = {}]) => readTarget({ address, labels }, "lab") as Target);

/** A discovery that finds what the test tells it to find. */
class ToldDiscovery implements TargetDiscovery {
  error: string | undefined;
  private pass: (targets: readonly Target[]) => void = () => undefined;

  constructor(
    readonly description: string,
    private readonly first?: readonly Target[],
  ) {}

  async follow(onTargets: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void> {
    this.pass = onTargets;
    if (this.first !== undefined) onTargets(this.first);
    await aborted(signal);
  }

  find(targets: readonly Target[]): void {
    this.pass(targets);
  }
}

function follow(...discoveries: ToldDiscovery[]) {
  const lines: string[] = [];
  const log = pino(
    { base: null, serializers: logSerializers },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const clock = new ManualClock();
  const client = { scrape: () => Promise.resolve({ bytes: new Uint8Array() }) };
  const options = { client, openReader: () => new LineReader(), clock, log };
  const targets = new ExporterTargets({
    discoveries,
    log,
    open: (target) =>
      new ExporterSource(target, { ...options, intervalMs: 15_000, streamer: "s", onMissed: () => undefined }),
  });
  const changes: { added: string[]; removed: string[] }[] = [];
  const halt = new AbortController();
  const shown = ({ added, removed }: SourcesChange) => ({
    added: added.map(({ sourceId }) => sourceId),
    removed: removed.map(({ sourceId }) => sourceId),
  });
  const follow = (signal: AbortSignal) => targets.follow((change) => changes.push(shown(change)), signal);
  const following = follow(halt.signal);
  return { targets, changes, lines, clock, follow, end: () => (halt.abort(), following) };
}

test("sources come and go with their targets; those that stay are the same objects", async () => {
  const discovery = new ToldDiscovery("file", targetsOf(["a"], ["b"]));
  const { targets, changes, end } = follow(discovery);
  const [a, b] = targets.current;
  expect(changes).toEqual([{ added: ["scrape:lab:a:9400", "scrape:lab:b:9400"], removed: [] }]);
  discovery.find(targetsOf(["b"], ["c"]));
  expect(changes[1]).toEqual({ added: ["scrape:lab:c:9400"], removed: ["scrape:lab:a:9400"] });
  expect(targets.current[0]).toBe(b as NonNullable<typeof b>);
  expect(targets.current).not.toContain(a as NonNullable<typeof a>);
  discovery.find(targetsOf(["c"], ["b"]));
  expect(changes.length).toBe(2);
  await end();
});

test("a target that is read differently is removed and added", async () => {
  const discovery = new ToldDiscovery("file", targetsOf(["a", { rack: "r1" }]));
  const { changes, end } = follow(discovery);
  discovery.find(targetsOf(["a", { rack: "r2" }]));
  expect(changes[1]).toEqual({ added: ["scrape:lab:a:9400"], removed: ["scrape:lab:a:9400"] });
  await end();
});

test("a target of two discoveries is one source, and stays until neither has it", async () => {
  const [setting, file] = [new ToldDiscovery("setting", targetsOf(["a"])), new ToldDiscovery("file")];
  const { targets, changes, end } = follow(setting, file);
  file.find(targetsOf(["a", { rack: "r1" }], ["b"]));
  expect(changes.map(({ added }) => added)).toEqual([["scrape:lab:a:9400"], ["scrape:lab:b:9400"]]);
  file.find([]);
  expect(targets.states().map(({ target }) => target)).toEqual(["a:9400"]);
  await end();
});

test("one host with two clusters is two targets; an error of a discovery is the error of all", async () => {
  const discovery = new ToldDiscovery("file", targetsOf(["a"], ["a", { cluster: "prod" }]));
  const { targets, end } = follow(discovery);
  expect(targets.states().map(({ source_id }) => source_id)).toEqual(["scrape:lab:a:9400", "scrape:prod:a:9400"]);
  expect(targets.error).toBeUndefined();
  discovery.error = "file: broken";
  expect(targets.error).toBe("file: broken");
  await end();
});

test("who follows again is told about all sources that are known", async () => {
  const { changes, follow: again, end } = follow(new ToldDiscovery("setting", targetsOf(["a"])));
  await end();
  const halt = new AbortController();
  const following = again(halt.signal);
  halt.abort();
  await following;
  expect(changes).toEqual([
    { added: ["scrape:lab:a:9400"], removed: [] },
    { added: ["scrape:lab:a:9400"], removed: [] },
  ]);
});

test("a target that is listed again with other labels, or in another cluster, is named once in the log, and in /health", async () => {
  const entries = targetsOf(
    ...([
      ["a", { rack: "r1" }],
      ["a", { rack: "r2" }],
      ["a", { cluster: "prod" }],
    ] as const),
    ...([["b"], ["b"]] as const),
  );
  const discovery = new ToldDiscovery("file", entries);
  const { targets, lines, end } = follow(discovery);
  const labels = "a:9400 in the cluster lab is listed again with other labels (rack): the first entry counts";
  const clusters =
    "a:9400 is listed in the clusters lab and prod: it is scraped for both, and its GPUs go back and forth between them";
  discovery.find([...entries, ...targetsOf(["c"])]);
  expect(lines).toEqual([`target ${labels}`, `target ${clusters}`]);
  expect(targets.activity).toBe(`the lists of targets contradict themselves: ${labels}, and 1 more`);
  discovery.find(targetsOf(["a"], ["b"]));
  expect(targets.activity).toBeUndefined();
  await end();
});

test("of many contradictions, the log names five, and the number of the others", async () => {
  const entries = Array.from({ length: 20 }, (_, index) => [`h${index}`, { cluster: "prod" }] as const);
  const { lines, end } = follow(
    new ToldDiscovery("file", targetsOf(...entries, ...entries.map(([name]) => [name] as const))),
  );
  expect(lines).toHaveLength(6);
  expect(lines[5]).toBe("15 more targets are listed more than once");
  await end();
});

test("/health tells targets that are down from scrapes that this process has missed", async () => {
  const { targets, clock, end } = follow(new ToldDiscovery("setting", targetsOf(["a"], ["b"])));
  const missed = {
    timeMs: clock.nowMs(),
    reason: "memory_full",
    message: "the memory was full",
    count: 2,
  } as const;
  targets.dropped("scrape:lab:b:9400", missed);
  expect(targets.activity).toBe(
    "1 of 2 targets is without some scrapes: b:9400: 2 scrapes were missed until 2025-01-01T00:00:00Z by the pipeline, not by the target: the memory was full",
  );
  await clock.advance(300_001);
  expect(targets.activity).toBeUndefined();
  await end();
});
