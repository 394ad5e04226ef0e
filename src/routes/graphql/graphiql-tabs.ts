/** The GPU of the queries, in whose place a page has one that exists. */
export const exampleUuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";

/** The queries with which GraphiQL opens, one a tab. */
export const graphiqlTabs: readonly { readonly query: string }[] = [
  {
    query: `# All GPUs
query Gpus {
  gpus {
    id
    uuid
    hostname
    name
    device
    status
  }
}`,
  },
  {
    query: `# A GPU with its newest records
query Gpu {
  gpu(uuid: "${exampleUuid}") {
    id
    uuid
    hostname
    name
    telemetry(limit: 10) {
      timestamp
      gpuUtilization
      memoryUtilization
      temperature
      powerDraw
    }
  }
}`,
  },
  {
    query: `# Clusters with their hosts and GPUs
query Clusters {
  clusters {
    id
    hosts {
      hostname
      gpus {
        id
        uuid
        name
        status
      }
    }
  }
}`,
  },
];
