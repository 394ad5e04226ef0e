import type { Logger } from "pino";
import type { LiveSource } from "../source.ts";
import type { DroppedReading } from "../../../domain/reading.ts";
import type { TargetState } from "../target-states.ts";
import type { SourcesChange, TargetSources } from "../target-sources.ts";
import type { TargetDiscovery } from "./discovery/target-discovery.ts";
import type { ExporterSource } from "./exporter-source.ts";
import { joinTargets } from "./join-targets.ts";
import type { Target } from "./target.ts";

export interface ExporterTargetsOptions {
  /** If several have a target, the first of them decides how it is read. */
  readonly discoveries: readonly TargetDiscovery[];
  readonly open: (target: Target) => ExporterSource;
  /** What is wrong with all scrapes, besides the discoveries; undefined if nothing is. */
  readonly error?: () => string | undefined;
  readonly log: Logger;
}

/** The log names this many contradictions of a list one by one. */
const loggedConflicts = 5;

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
  private conflicts: readonly string[] = [];

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

  /** What people should know about the targets, each with the first target that it is about: how many are down, how many send answers
   *  of which something is wrong, how many have scrapes that this process missed, and which contradict each other in the lists.
   *  Undefined if there is nothing. */
  get activity(): string | undefined {
    const sources = [...this.known.values()].map(({ source }) => source);
    const states = this.states();
    const read = states.filter(({ state }) => state !== "waiting").length;
    const down = states.filter(({ state }) => state === "down").map(({ target, message }) => `${target}: ${message}`);
    const warnings = textsOf(sources, ({ answerWarning }) => answerWarning);
    const missed = textsOf(sources, ({ missedByPipeline }) => missedByPipeline);
    const [conflict] = this.conflicts;
    const parts = [
      ...shareText(down, read, "down"),
      ...shareText(warnings, read, "up with a warning"),
      ...shareText(missed, sources.length, "without some scrapes"),
      ...(conflict === undefined
        ? []
        : [`the lists of targets contradict themselves: ${conflict}${this.moreConflicts}`]),
    ];
    return parts.length === 0 ? undefined : parts.join("; ");
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
    const { targets, conflicts } = joinTargets(this.options.discoveries.map((each) => this.found.get(each) ?? []));
    this.warnOf(conflicts);
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

  private get moreConflicts(): string {
    return this.conflicts.length > 1 ? `, and ${this.conflicts.length - 1} more` : "";
  }

  /** Each is logged once, until a list no longer has it. */
  private warnOf(conflicts: readonly string[]): void {
    const before = new Set(this.conflicts);
    this.conflicts = conflicts;
    const added = conflicts.filter((conflict) => !before.has(conflict));
    for (const conflict of added.slice(0, loggedConflicts)) this.options.log.warn(`target ${conflict}`);
    const more = added.length - loggedConflicts;
    if (more > 0) this.options.log.warn(`${more} more targets are listed more than once`);
  }

  private keptOrOpened(kept: KnownTarget | undefined, target: Target): KnownTarget {
    const text = JSON.stringify(target);
    return kept?.text === text ? kept : { text, source: this.options.open(target) };
  }
}

/** One text for each source of which there is something to say. */
function textsOf(
  sources: readonly ExporterSource[],
  textOf: (source: ExporterSource) => string | undefined,
): readonly string[] {
  return sources.flatMap((source) => {
    const text = textOf(source);
    return text === undefined ? [] : [`${source.target.name}: ${text}`];
  });
}

/** @param texts one for each of the targets that are so
 *  @returns the number of these targets, and the first text; nothing if there are none */
function shareText([first, ...others]: readonly string[], targets: number, what: string): readonly string[] {
  if (first === undefined) return [];
  const count = others.length + 1;
  const share = targets === 1 ? "its only target is" : `${count} of ${targets} targets ${count === 1 ? "is" : "are"}`;
  return [`${share} ${what}: ${first}`];
}
