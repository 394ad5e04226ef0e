import { defaultTopic } from "../domain/default-names.ts";

/** The prefix of a pipeline's keys in etcd, except for those of its queue, whose names contain the topic anyway. Empty for the
 *  default topic: pipelines older than this rule have their keys there.
 *  @param topic the pipeline's QUEUE_TOPIC */
export function pipelineRoot(topic: string): string {
  return topic === defaultTopic ? "" : `/pipelines/${encodeURIComponent(topic)}`;
}
