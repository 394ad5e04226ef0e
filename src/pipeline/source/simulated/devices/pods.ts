import { noWorkload, type Workload } from "../../../../domain/gpu.ts";
import type { Random } from "../random.ts";

const names = ["chat-8b", "embedder", "jupyter-ada", "jupyter-grace", "reranker", "speech-asr"];
const namespaces = ["notebooks", "serving", "training"];
const containers = ["main", "notebook", "vllm"];

/** A new pod that uses a part of a GPU. */
export function randomPod(random: Random): Workload {
  const pod = `${random.pick(names)}-${random.hex(6)}`;
  return { container: random.pick(containers), pod, namespace: random.pick(namespaces) };
}

/** A new pod, or none. */
export function randomPodOrNone(random: Random): Workload {
  return random.chance(podShare) ? randomPod(random) : noWorkload;
}

const podShare = 0.75;
