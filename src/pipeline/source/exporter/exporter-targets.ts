import type { LiveSource } from "../source.ts";
import type { DroppedReading } from "../../../domain/reading.ts";
import type { TargetState } from "../target-states.ts";
import type { SourcesChange, TargetSources } from "../target-sources.ts";
import type { TargetDiscovery } from "./discovery/target-discovery.ts";
import type { ExporterSource } from "./exporter-source.ts";
import { sourceIdOf, type Target } from "./target.ts";

export interface ExporterTargetsOptions {
  /** If several have a target, the first of them decides how it is read. */
  readonly discoveries: readonly TargetDiscovery[];
  readonly open: (target: Target) => ExporterSource;
  /** What is wrong with all scrapes, besides the discoveries; undefined if nothing is. */
  readonly error?: () => string | undefined;
}

interface KnownTarget {
  /** Changes if the target is read differently. */
  readonly text: string;
  readonly source: ExporterSource;
}

/** The sources of all targets that the discoveries have found. */
export class ExporterTargets implements TargetSources {
  readonly description: string;
  private readonly found = new Map<TargetDiscovery, readonly Target[]>();
  private known = new Map<string, KnownTarget>();

  constructor(private readonly options: ExporterTargetsOptions) {
    this.description = `exporters of ${options.discoveries.map(({ description }) => description).join(", ")}`;
  }

  get current(): readonly LiveSource[] {
    return [...this.known.values()].map(({ source }) => source);
  }

  get error(): string | undefined {
    const { discoveries, error: errorOfScrapes } = this.options;
    return discoveries.find(({ error }) => error !== undefined)?.error ?? errorOfScrapes?.();
  }

  /** How many of the targets that this process reads are down, with the error of the first of them; undefined if all are up. */
  get activity(): string | undefined {
    const states = this.states();
    const down = states.filter(({ state }) => state === "down");
    const [first] = down;
    if (first === undefined) return undefined;
    const read = states.filter(({ state }) => state !== "waiting").length;
    const share =
      read === 1 ? "its only target is" : `${down.length} of ${read} targets ${down.length === 1 ? "is" : "are"}`;
    return `${share} down: ${first.target}: ${first.message}`;
  }

  /** What this process knows about each target. */
  states(): TargetState[] {
    return [...this.known.values()].map(({ source }) => source.state());
  }

  dropped(sourceId: string, reading: DroppedReading): void {
    this.known.get(sourceId)?.source.dropped(reading);
  }

  async follow(onChange: (change: SourcesChange) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (this.known.size > 0) onChange({ added: this.current, removed: [] });
    const following = this.options.discoveries.map((discovery) =>
      discovery.follow((targets) => {
        this.found.set(discovery, targets);
        const change = this.update();
        if (change.added.length + change.removed.length > 0) onChange(change);
      }, signal),
    );
    await Promise.all(following);
  }

  private update(): SourcesChange {
    const targets = new Map<string, Target>();
    for (const discovery of this.options.discoveries) {
      for (const target of this.found.get(discovery) ?? []) {
        const id = sourceIdOf(target);
        if (!targets.has(id)) targets.set(id, target);
      }
    }
    const before = this.known;
    this.known = new Map([...targets].map(([id, target]) => [id, this.keptOrOpened(before.get(id), target)]));
    const isIn = (known: ReadonlyMap<string, KnownTarget>, source: ExporterSource): boolean =>
      known.get(source.sourceId)?.source === source;
    const sourcesOf = (known: ReadonlyMap<string, KnownTarget>): ExporterSource[] =>
      [...known.values()].map(({ source }) => source);
    return {
      added: sourcesOf(this.known).filter((source) => !isIn(before, source)),
      removed: sourcesOf(before).filter((source) => !isIn(this.known, source)),
    };
  }

  private keptOrOpened(kept: KnownTarget | undefined, target: Target): KnownTarget {
    const text = JSON.stringify(target);
    return kept?.text === text ? kept : { text, source: this.options.open(target) };
  }
}
