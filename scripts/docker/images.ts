/** The names of the images that compose.yaml uses and that are built here. */
export interface ImageNames {
  readonly pipeline: string;
  readonly etcd: string;
}

/** @param registry such as `registry.example.org/gpu`, with or without a slash at its end; empty or undefined: none */
export function images({ registry, tag }: { readonly registry: string | undefined; readonly tag: string }): ImageNames {
  const prefix = registry ? `${registry.replace(/\/+$/, "")}/` : "";
  return { pipeline: `${prefix}gpu-telemetry-pipeline:${tag}`, etcd: `${prefix}gpu-telemetry-etcd:${tag}` };
}
