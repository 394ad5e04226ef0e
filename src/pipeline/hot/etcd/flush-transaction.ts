import type { IRequestOp, ITxnResponse } from "etcd3";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { getKey, isAbsent, nested, put } from "../../../etcd/requests.ts";
import type { GpuNews } from "../newest-of-batch.ts";
import type { ExpiringKeys } from "./expiring-keys.ts";
import type { FlushMember } from "./flush-groups.ts";
import { clusterDocument, dataDocument, hostDocument } from "./hot-documents.ts";
import { hotKeys } from "./hot-keys.ts";
import type { GpuPlan, DocumentCache } from "./document-cache.ts";

type Response = ITxnResponse["responses"][number];

interface Step {
  readonly operation: IRequestOp;
  readonly take: (response: Response, revision: string) => void;
}

/** One transaction of a flush: of each host its data, unconditionally (etcd holds no nested write against its quota), and
 *  the changed documents, each in a nested transaction that compares them with what the plan was made from. Documents go
 *  first: who follows hears of a GPU before its record. */
export class FlushTransaction {
  private readonly steps: Step[] = [];
  private readonly refused: GpuNews[] = [];
  private readonly clusters = new Set<string>();

  constructor(
    private readonly known: DocumentCache,
    private readonly window: ExpiringKeys,
    private readonly leaseId: string,
  ) {}

  addHost(host: string, members: readonly FlushMember[]): void {
    const [first] = members as [FlushMember];
    const cluster = hotKeys.cluster(first.plan.state.gpu.clusterId);
    if (!this.clusters.has(cluster) && !this.known.clusters.has(cluster)) {
      const operation = nested([isAbsent(cluster)], [put(cluster, clusterDocument(first.plan.state))]);
      this.steps.push({ operation, take: () => this.known.clusters.add(cluster) });
    }
    this.clusters.add(cluster);
    const isGone = this.addHostDocument(host, cluster, first.plan);
    for (const { plan } of members) if (plan.write !== undefined) this.addWrite(plan, plan.write, isGone);
    const entries = members.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
    const unwritten = members.flatMap(({ plan }) => (plan.write === undefined ? [plan] : []));
    if (entries.length > 0) this.addData(host, entries, { unwritten, isGone });
  }

  /** @returns what could not be done as planned */
  async send(client: EtcdClient): Promise<GpuNews[]> {
    const { responses, revision } = await client.txn({ success: this.steps.map(({ operation }) => operation) });
    this.steps.forEach(({ take }, index) => take(responses[index] as Response, revision));
    return this.refused;
  }

  /** Makes the host's document where there is none; where there should be one, looks whether it is still there: somebody
   *  may have removed it with all that is below.
   *  @returns tells, once there is an answer, whether it is gone */
  private addHostDocument(host: string, cluster: string, plan: GpuPlan): () => boolean {
    if (!this.known.hosts.has(host)) {
      const operation = nested([isAbsent(host)], [put(host, hostDocument(plan.state))]);
      this.steps.push({ operation, take: () => this.known.hosts.add(host) });
      return () => false;
    }
    let isGone = false;
    this.steps.push({
      operation: getKey(host),
      take: ({ response_range }) => {
        isGone = response_range.kvs.length === 0;
        if (isGone) this.known.forgetHost(host, cluster);
      },
    });
    return () => isGone;
  }

  private addWrite(plan: GpuPlan, { compare, success }: NonNullable<GpuPlan["write"]>, isGone: () => boolean): void {
    this.steps.push({
      operation: nested(compare, success),
      take: ({ response_txn }, revision) => {
        if (isGone() || !response_txn.succeeded) this.refused.push(plan.news);
        else this.known.note(plan, revision);
      },
    });
  }

  private addData(
    host: string,
    entries: readonly string[],
    { unwritten, isGone }: { readonly unwritten: readonly GpuPlan[]; readonly isGone: () => boolean },
  ): void {
    const [key, value] = [this.window.nextKey(host), dataDocument(entries)];
    this.steps.push({
      operation: put(key, value, this.leaseId),
      take: (_, revision) => {
        this.window.note(key, key.length + value.length);
        for (const plan of unwritten) {
          if (isGone()) this.refused.push(plan.news);
          else this.known.note(plan, revision);
        }
      },
    });
  }
}
