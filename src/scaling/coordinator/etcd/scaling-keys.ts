import { pipelineRoot } from "../../../etcd/pipeline-root.ts";

/** The coordinator's keys in etcd; docs/SCALING_AND_KUBERNETES.md explains them. */
export class ScalingKeys {
  readonly leader: string;
  readonly state: string;
  readonly memory: string;
  readonly figures: string;
  readonly decisions: string;

  /** @param topic the pipeline's QUEUE_TOPIC */
  constructor(topic: string) {
    const root = `${pipelineRoot(topic)}/scaling/`;
    this.leader = `${root}leader`;
    this.state = `${root}state`;
    this.memory = `${root}memory`;
    this.figures = `${root}figures/`;
    this.decisions = `${root}decisions/`;
  }
}
