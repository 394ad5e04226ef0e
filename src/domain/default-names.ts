/** The default of QUEUE_TOPIC. The queue's topic names a pipeline: the streamers, collectors and gateways that share one queue,
 *  one hot tier and one store. */
export const defaultTopic = "telemetry";

/** The default of CLUSTER_ID. */
export const defaultClusterId = "local-cluster";
