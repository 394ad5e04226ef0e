/** The names of the images that compose.yaml uses and that are built here. */
export interface ImageNames {
  readonly pipeline: string;
  readonly etcd: string;
}

const registryName = /^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

/** @param registry such as `registry.example.org/gpu`, with or without a slash at its end; empty or undefined: none
 *  @throws Error with a sentence for people if no image can have this registry or tag */
export function images({ registry, tag }: { readonly registry: string | undefined; readonly tag: string }): ImageNames {
  const withoutSlash = registry?.trim().replace(/\/+$/, "");
  if (withoutSlash && !registryName.test(withoutSlash)) {
    throw new Error(
      `DOCKER_REGISTRY=${registry} is not usable: expected a host and a path in small letters, such as registry.example.org/gpu`,
    );
  }
  if (!/^\w[\w.-]{0,127}$/.test(tag)) {
    throw new Error(`IMAGE_TAG=${tag} is not usable: expected up to 128 letters, digits, dots, dashes and underscores`);
  }
  const prefix = withoutSlash ? `${withoutSlash}/` : "";
  return { pipeline: `${prefix}gpu-telemetry-pipeline:${tag}`, etcd: `${prefix}gpu-telemetry-etcd:${tag}` };
}
