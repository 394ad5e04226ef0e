/** A rule of a Role or ClusterRole. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A pod with one container, as its node reports it. */
export interface TestPod {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly nodeName: string;
  /** Absent: its node has not started it yet. */
  readonly ip?: string;
  readonly isReady?: boolean;
}

/** A cluster's API and what its operators and nodes do: the real one or a small one. Everything is in one namespace. */
export interface TestCluster {
  readonly url: string;
  readonly namespace: string;
  /** Makes a service account with a Role of these rules; `everywhere`, with a ClusterRole.
   *  @returns the folder that Kubernetes would mount into its pods */
  account(rules: readonly Rule[], everywhere?: boolean): Promise<string>;
  /** Gives accounts another token, as Kubernetes does before a token expires; the earlier ones are refused. */
  renewTokens(): Promise<void>;
  addDeployment(name: string, replicas: number): Promise<void>;
  replicasOf(name: string): Promise<number>;
  /** As `kubectl scale` does. */
  scale(name: string, replicas: number): Promise<void>;
  /** Makes the pod, or changes its address and readiness. */
  putPod(pod: TestPod): Promise<void>;
  deletePod(name: string): Promise<void>;
  /** Cuts all connections; while the API is away, new ones are refused. */
  setAway(isAway: boolean): Promise<void>;
  /** Ends all watches; a watch from a revision before now is answered with 410 Gone. */
  loseHistory(): Promise<void>;
  stop(): Promise<void>;
}
