import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { KubernetesRefused, KubernetesUnavailable } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { KubernetesApi } from "../../../kubernetes/kubernetes-api.ts";
import { type ScaledRole, scaledRoles } from "../../coordinator/policy.ts";
import type { CommandedCount, Executor, RequestedCount, ScaleRequest } from "../executor.ts";
import { scalePath, scaleRules, type ScaledWorkload, workloadText } from "./scaled-workload.ts";

export interface KubernetesExecutorOptions {
  readonly api: KubernetesApi;
  /** Undefined: that of the service account. */
  readonly namespace: string | undefined;
  /** The role of an absent one is scaled by other means. */
  readonly workloads: Readonly<Partial<Record<ScaledRole, ScaledWorkload>>>;
  /** The number of a role is never set below this, nor below 1. */
  readonly minimums: Readonly<Record<ScaledRole, number>>;
  readonly clock: Clock;
}

/** Kubernetes leaves out a number that is 0. */
const scaleSchema = Type.Object({
  metadata: Type.Object({ resourceVersion: Type.String() }),
  spec: Type.Optional(Type.Object({ replicas: Type.Optional(Type.Integer()) })),
});

/** What is known of a role's workload. */
interface SeenScale {
  readonly term: string;
  readonly count: number;
  /** The count that was asked for in a call whose answer was lost. */
  readonly attempted?: number | undefined;
  readonly revision: string;
  readonly command: CommandedCount | undefined;
}

/** Sets the numbers of pods of Deployments and StatefulSets by their scale, so that it needs no right to change anything else. A
 *  change carries the revision that the decision has seen: the late request of a coordinator that no longer leads, and one that
 *  crosses another change, is refused. */
export class KubernetesExecutor implements Executor {
  readonly name = "kubernetes";
  private readonly seen = new Map<ScaledRole, SeenScale>();
  private namespace: string | undefined;

  constructor(private readonly options: KubernetesExecutorOptions) {
    this.namespace = options.namespace;
  }

  async check(): Promise<void> {
    const roles = scaledRoles.filter((role) => this.options.workloads[role] !== undefined);
    await Promise.all(
      roles.map(async (role) => {
        const { path, scale } = await this.read(role);
        const unchanged = { spec: { replicas: scale.spec?.replicas ?? 0 } };
        await this.explained(role, this.options.api.patch(`${path}?dryRun=All`, unchanged));
      }),
    );
  }

  async scale({ role, count, term }: ScaleRequest): Promise<void> {
    const workload = this.options.workloads[role];
    if (workload === undefined) return;
    const seen = this.seen.get(role);
    if (seen?.term !== term) {
      throw new KubernetesUnavailable(`the present number of ${workloadText(workload)} is not known`);
    }
    const replicas = Math.max(1, this.options.minimums[role], count);
    this.seen.set(role, { ...seen, attempted: replicas });
    const change = { metadata: { resourceVersion: seen.revision }, spec: { replicas } };
    const path = `${scalePath(workload, await this.place())}?fieldManager=telemetry-coordinator`;
    const { metadata, spec } = scaleOf(await this.explained(role, this.options.api.patch(path, change)));
    this.seen.set(role, { ...seen, count: spec?.replicas ?? 0, revision: metadata.resourceVersion });
  }

  async requested(role: ScaledRole, term: string): Promise<RequestedCount | undefined> {
    if (this.options.workloads[role] === undefined) return undefined;
    // before the answer: the decision that this is for must not be older than the command
    const atMs = this.options.clock.nowMs();
    const { scale } = await this.read(role);
    const count = scale.spec?.replicas ?? 0;
    const before = this.seen.get(role);
    const isKnown = before?.term === term;
    const isOwn = !isKnown || count === before.count || count === before.attempted;
    const command = isOwn ? (isKnown ? before.command : undefined) : { count, atMs };
    this.seen.set(role, { term, count, revision: scale.metadata.resourceVersion, command });
    return { count, command };
  }

  private async read(role: ScaledRole): Promise<{ path: string; scale: Static<typeof scaleSchema> }> {
    const path = scalePath(this.options.workloads[role] as ScaledWorkload, await this.place());
    return { path, scale: scaleOf(await this.explained(role, this.options.api.get(path))) };
  }

  private async place(): Promise<string> {
    return (this.namespace ??= await this.options.api.namespace());
  }

  /** Says of a refused call what the operator can do. */
  private async explained(role: ScaledRole, call: Promise<unknown>): Promise<unknown> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof KubernetesRefused)) throw error;
      const { workloads } = this.options;
      const place = `${workloadText(workloads[role] as ScaledWorkload)} in the namespace ${this.namespace}`;
      const because = (text: string): Error => new KubernetesRefused(`${text} (${error.message})`, error.status);
      if (error.status === 404) {
        throw because(`SCALING_${role.toUpperCase()}_WORKLOAD: there is no ${place}`);
      }
      if (error.status === 409) throw because(`${place} was changed at the same time; the next decision tries again`);
      if (error.status !== 403) throw error;
      const rules = scaleRules(Object.values(workloads));
      throw because(`the service account may not read and change the number of ${place}; its Role needs ${rules}`);
    }
  }
}

function scaleOf(answer: unknown): Static<typeof scaleSchema> {
  if (Value.Check(scaleSchema, answer)) return answer;
  throw new KubernetesUnavailable("the Kubernetes API sent no scale");
}
