import { Value } from "@sinclair/typebox/value";
import { KubernetesUnavailable } from "../../../../../domain/errors.ts";
import type { WatchEvent } from "../../../../../kubernetes/watch-stream.ts";
import type { Target } from "../../target.ts";
import { type Pod, podSchema, podTarget, type PodTargetOptions } from "./pod-target.ts";

/** The pods that a list and the events after it have named. */
export class FoundPods {
  /** The target in each pod, or why there is none. */
  private targets = new Map<string, Target | string>();

  /** @param warn called when a pod begins to have a problem that keeps it from being a target */
  constructor(
    private readonly options: PodTargetOptions,
    private readonly warn: (problem: string) => void,
  ) {}

  /** The targets, in the order of their names. */
  get current(): readonly Target[] {
    const targets = [...this.targets.values()].filter((each) => typeof each === "object");
    return targets.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** Replaces all pods by those of a list. */
  replace(pods: readonly unknown[]): void {
    const before = this.targets;
    this.targets = new Map();
    for (const pod of pods) this.put(podOf(pod), before);
  }

  /** Takes in an event of the watch.
   *  @returns the revision that a watch can begin with after the event */
  take({ type, object }: WatchEvent): string {
    // a bookmark is a pod that has only a revision
    if (type === "BOOKMARK") return revisionOf(object);
    const pod = podOf(object);
    if (type === "DELETED") this.targets.delete(keyOf(pod));
    else this.put(pod, this.targets);
    return pod.metadata.resourceVersion;
  }

  private put(pod: Pod, before: ReadonlyMap<string, Target | string>): void {
    const target = podTarget(pod, this.options);
    if (typeof target === "string" && target !== before.get(keyOf(pod))) this.warn(target);
    if (target === undefined) this.targets.delete(keyOf(pod));
    else this.targets.set(keyOf(pod), target);
  }
}

/** The revision of an object or of a list. @throws KubernetesUnavailable if it has none */
export function revisionOf(object: unknown): string {
  const { metadata } = object as { readonly metadata?: { readonly resourceVersion?: unknown } };
  if (typeof metadata?.resourceVersion === "string") return metadata.resourceVersion;
  throw new KubernetesUnavailable("the Kubernetes API sent an object without a revision");
}

function keyOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function podOf(object: unknown): Pod {
  if (Value.Check(podSchema, object)) return object;
  const wrong = Value.Errors(podSchema, object).First();
  throw new KubernetesUnavailable(
    `the Kubernetes API sent a pod that cannot be read: ${wrong?.path} ${wrong?.message}`,
  );
}
