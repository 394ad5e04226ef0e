import type { Logger } from "pino";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { KubernetesRefused, KubernetesUnavailable } from "../../../../../domain/errors.ts";
import type { Clock } from "../../../../../kit/clock.ts";
import { RepeatedError } from "../../../../../kit/repeated-error.ts";
import type { KubernetesApi } from "../../../../../kubernetes/kubernetes-api.ts";
import type { Target } from "../../target.ts";
import type { TargetDiscovery } from "../target-discovery.ts";
import { FoundPods, revisionOf } from "./found-pods.ts";
import type { PodTargetOptions } from "./pod-target.ts";

export interface KubernetesDiscoveryOptions extends PodTargetOptions {
  readonly api: KubernetesApi;
  /** The labels of the exporters' pods. */
  readonly selector: string;
  /** The namespace of the pods; undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

type OnTargets = (targets: readonly Target[]) => void;

/** The pause before the API is called again after an error. */
const retryMs = 5000;
/** The pause before an ended watch is continued. */
const pauseMs = 1000;
/** A server ends a watch after this time, so that the watches of all streamers do not stay on one server for ever. */
const watchSeconds = 600;
/** kubectl's and client-go's size of a page. */
const pagePods = 500;

const listSchema = Type.Object({
  metadata: Type.Object({ continue: Type.Optional(Type.String()) }),
  items: Type.Array(Type.Unknown()),
});

/** The exporters in the pods of a Kubernetes cluster (DCGM_DISCOVERY=kubernetes).
 *
 *  LISTING -all pages read-> WATCHING: each event changes the targets
 *  WATCHING -the server ends the watch, it is cut or silent-> WATCHING, after the last event
 *  WATCHING -the server no longer has the revision (410)-> LISTING
 *  either -the API does not answer or refuses-> the same after a pause; the targets stay as they were */
export class KubernetesDiscovery implements TargetDiscovery {
  readonly description = "DCGM_DISCOVERY=kubernetes";
  private readonly failing: RepeatedError;

  constructor(private readonly options: KubernetesDiscoveryOptions) {
    this.failing = new RepeatedError({
      log: options.log,
      prefix: `${this.description}: the targets stay as they were`,
      ended: `${this.description}: the targets are read again`,
    });
  }

  get error(): string | undefined {
    return this.failing.current;
  }

  async follow(onTargets: OnTargets, signal: AbortSignal): Promise<void> {
    const following = new Following(this.options, onTargets, this.failing);
    while (!signal.aborted) {
      const waitMs = await following.advance(signal);
      await this.options.clock.sleep(waitMs, signal);
    }
  }
}

/** One call of `follow`. */
class Following {
  private readonly pods: FoundPods;
  /** Where the watch continues; undefined: the pods have to be listed. */
  private revision: string | undefined;
  private passed: string | undefined;

  constructor(
    private readonly options: KubernetesDiscoveryOptions,
    private readonly onTargets: OnTargets,
    private readonly failing: RepeatedError,
  ) {
    this.pods = new FoundPods(options, (problem) => options.log.warn(problem));
  }

  /** Lists the pods if that is due, and watches them until the watch ends.
   *  @returns the pause before the next call */
  async advance(signal: AbortSignal): Promise<number> {
    try {
      this.revision ??= await this.list(signal);
      for await (const events of this.options.api.watch(this.watchPath(this.revision), signal)) {
        if (signal.aborted) return 0;
        this.failing.clear();
        for (const event of events) this.revision = this.pods.take(event);
        if (events.length > 0) this.pass();
      }
      return pauseMs;
    } catch (error) {
      if (signal.aborted) return 0;
      const isGone = error instanceof KubernetesRefused && error.status === 410;
      if (isGone) this.revision = undefined;
      else this.failing.record(this.explained(error));
      return isGone ? pauseMs : retryMs;
    }
  }

  /** @returns the revision of the list */
  private async list(signal: AbortSignal): Promise<string> {
    const pods: unknown[] = [];
    let from = "";
    for (;;) {
      const page = await this.options.api.list(
        this.path({ limit: `${pagePods}`, ...(from && { continue: from }) }),
        signal,
      );
      if (!Value.Check(listSchema, page)) throw new KubernetesUnavailable("the Kubernetes API sent no list of pods");
      pods.push(...page.items);
      from = page.metadata.continue ?? "";
      if (from !== "") continue;
      this.pods.replace(pods);
      if (!signal.aborted) this.pass();
      return revisionOf(page);
    }
  }

  private watchPath(revision: string): string {
    const timeoutSeconds = `${watchSeconds}`;
    return this.path({ watch: "1", allowWatchBookmarks: "1", resourceVersion: revision, timeoutSeconds });
  }

  private path(parameters: Readonly<Record<string, string>>): string {
    const { namespace, selector: labelSelector } = this.options;
    const place = namespace === undefined ? "" : `namespaces/${namespace}/`;
    return `/api/v1/${place}pods?${new URLSearchParams({ labelSelector, ...parameters }).toString()}`;
  }

  private pass(): void {
    const targets = this.pods.current;
    const text = JSON.stringify(targets);
    if (text === this.passed) return;
    if (targets.length === 0)
      this.options.log.warn(`no pod with the labels ${this.options.selector} runs ${this.place}`);
    this.passed = text;
    this.onTargets(targets);
  }

  private get place(): string {
    const { namespace } = this.options;
    return namespace === undefined ? "in any namespace" : `in the namespace ${namespace}`;
  }

  /** Adds the rule that is missing to an answer 403. */
  private explained(error: unknown): unknown {
    if (!(error instanceof KubernetesRefused) || error.status !== 403) return error;
    const kind = this.options.namespace === undefined ? "ClusterRole" : "Role";
    const rule = `{apiGroups: [""], resources: [pods], verbs: [list, watch]}`;
    return `the service account may not list and watch pods ${this.place}; its ${kind} lacks this rule: ${rule} (${error.message})`;
  }
}
