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
  const log = pino({ level: "silent" });
  const client = { scrape: () => Promise.resolve({ bytes: new Uint8Array() }) };
  const options = { client, openReader: () => new LineReader(), clock: new ManualClock(), log };
  const targets = new ExporterTargets({
    discoveries,
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
  return { targets, changes, follow, end: () => (halt.abort(), following) };
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
