import { answerOf, type GatewayClient } from "gpu-telemetry-client";
import { boundNames, type GpuBounds } from "../../src/domain/gpu-bounds.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { cellOf } from "./output.ts";

/** By the kind of name: the query for its GPUs, and the sentence for a name without any. */
const kinds = {
  clusters: {
    query: (name: string) => ({ cluster_id: name }),
    none: (name: string) => `no cluster ${name} is known yet`,
  },
  hosts: { query: (name: string) => ({ hostname: name }), none: (name: string) => `no host ${name} is known yet` },
  namespaces: {
    query: (name: string) => ({ namespace: name }),
    none: (name: string) => `the namespace ${name} holds no GPU now`,
  },
} as const;

/** Sentences about the names of a selector that match no part of the fleet as the gateway knows it now. They may be misspelled; or they are
 *  of hosts and namespaces that come later. If the fleet cannot be read, a sentence says why: the key is created anyway. */
export async function unmatchedNames(gateway: GatewayClient, bounds: GpuBounds): Promise<string[]> {
  const sentences: string[] = [];
  try {
    for (const kind of boundNames) {
      for (const name of bounds[kind] ?? []) {
        const query = { ...kinds[kind].query(name), limit: 1 };
        const { data } = await answerOf(gateway.GET("/api/v1/gpus", { params: { query } }));
        if (data.length === 0) sentences.push(kinds[kind].none(cellOf(name)));
      }
    }
  } catch (error) {
    sentences.push(`the names of the selector were not compared with the fleet: ${cellOf(messageOf(error))}`);
  }
  return sentences;
}
